// Tests where documents end and where their text may be cut, on strings short enough to read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "prepare/segmenter.h"
#include "unit/data/fake_tokenizers.h"

namespace longbow {
namespace {

using test::ByteTokenizer;
using test::LineTokenizer;
using test::PairTokenizer;
using testing::ElementsAre;

DataConfig documents(const std::string& rule, std::int64_t blank_lines = 2) {
    DataConfig config;
    config.documents = choice_named<DocumentRule>(rule).value();
    config.blank_lines = blank_lines;
    return config;
}

// Feeds the files `step` bytes at a time and returns each document's text that is encoded. What is in no piece must be
// separators.
std::vector<std::string> cut(const Tokenizer& tokenizer, const DataConfig& config,
                             const std::vector<std::string>& files, std::size_t chunk, std::size_t step) {
    Segmenter segmenter(tokenizer, config, chunk);
    std::vector<std::string> result(1);
    std::string raw;
    const auto drain = [&](bool end) {
        Chunk out;
        while (segmenter.take(out, end)) {
            raw += out.text;
            std::size_t last = 0;
            for (const auto& piece : out.pieces) {
                EXPECT_LE(last, piece.begin);
                EXPECT_LE(piece.begin, piece.end);
                EXPECT_LE(piece.end, out.text.size());
                last = piece.end;
                result.back() += out.text.substr(piece.begin, piece.end - piece.begin);
                if (piece.ends_document) result.emplace_back();
            }
            out = {};
        }
    };
    std::string all;
    for (const auto& file : files) {
        for (std::size_t i = 0; i < file.size(); i += step) {
            segmenter.buffer() += file.substr(i, step);
            drain(false);
        }
        drain(true);
        all += file;
    }
    EXPECT_EQ(raw, all);  // no byte is lost or doubled
    if (result.back().empty()) result.pop_back();
    return result;
}

// Checks that the documents are the same for all sizes of chunks and reads.
std::vector<std::string> cut_every_way(const Tokenizer& tokenizer, const DataConfig& config,
                                       const std::vector<std::string>& files) {
    const auto expected = cut(tokenizer, config, files, 1 << 20, 1 << 20);
    for (const std::size_t chunk : {1, 2, 3, 5, 8, 17}) {
        for (const std::size_t step : {1, 2, 3, 7, 100})
            EXPECT_EQ(cut(tokenizer, config, files, chunk, step), expected) << chunk << " " << step;
    }
    return expected;
}

TEST(Segmenter, FileRuleMakesEachFileADocument) {
    EXPECT_THAT(cut_every_way(ByteTokenizer(), documents("file"), {"one\n\n\ntwo\n", "", "three"}),
                ElementsAre("one\n\n\ntwo\n", "three"));
}

TEST(Segmenter, LineRuleDropsNewlinesAndEmptyLines) {
    EXPECT_THAT(cut_every_way(ByteTokenizer(), documents("line"), {"\na b\n\n\nc\r\nd", "\n\n", "e\n"}),
                ElementsAre("a b", "c", "d", "e"));
}

TEST(Segmenter, LineRuleKeepsACarriageReturnInsideALine) {
    EXPECT_THAT(cut_every_way(ByteTokenizer(), documents("line"), {"a\rb\n\r\nc\r"}), ElementsAre("a\rb", "c\r"));
}

TEST(Segmenter, BlankLineRuleCountsEmptyLines) {
    const std::string text = "\n\n\na\n\nb\n\n\nc\n\n\n\n\nd\n";
    EXPECT_THAT(cut_every_way(ByteTokenizer(), documents("blank_line", 2), {text}),
                ElementsAre("a\n\nb\n", "c\n", "d\n"));
    EXPECT_THAT(cut_every_way(ByteTokenizer(), documents("blank_line", 1), {text}),
                ElementsAre("a\n", "b\n", "c\n", "d\n"));
    EXPECT_THAT(cut_every_way(ByteTokenizer(), documents("blank_line", 4), {text}),
                ElementsAre("a\n\nb\n\n\nc\n", "d\n"));
    EXPECT_THAT(cut_every_way(ByteTokenizer(), documents("blank_line", 9), {text}),
                ElementsAre("a\n\nb\n\n\nc\n\n\n\n\nd\n"));
}

TEST(Segmenter, ALineOfWhiteSpaceIsEmpty) {
    const std::string text = " \n = One = \n \n a\n\t\n  \r\n = Two = \n \n\n   \nb \n ";
    EXPECT_THAT(cut_every_way(ByteTokenizer(), documents("blank_line", 2), {text}),
                ElementsAre(" = One = \n \n a\n", " = Two = \n", "b \n"));
    EXPECT_THAT(cut_every_way(ByteTokenizer(), documents("blank_line", 1), {text}),
                ElementsAre(" = One = \n", " a\n", " = Two = \n", "b \n"));
    EXPECT_THAT(cut_every_way(ByteTokenizer(), documents("line"), {" \n a \n\t\n  \r\n b"}), ElementsAre(" a ", " b"));
    EXPECT_THAT(cut_every_way(ByteTokenizer(), documents("blank_line", 1), {" \n\t\n   "}), ElementsAre());
    EXPECT_THAT(cut_every_way(ByteTokenizer(), documents("file"), {" \n"}), ElementsAre(" \n"));
}

TEST(Segmenter, BlankLineRuleEndsDocumentsWithTheirFile) {
    EXPECT_THAT(cut_every_way(ByteTokenizer(), documents("blank_line"), {"a\n", "b", "\n\n\n", "c\n\n\n"}),
                ElementsAre("a\n", "b", "c\n"));
}

TEST(Segmenter, CutsALongDocumentOnlyWhereTheTokenizerAllows) {
    const PairTokenizer tokenizer;
    std::string text;
    for (int i = 0; i < 200; ++i)
        text +=
            std::string(static_cast<std::size_t>(i % 9) + 1, static_cast<char>('a' + i % 26)) + (i % 4 ? " " : "\n");
    for (const char* rule : {"file", "line", "blank_line"}) {
        for (const std::size_t chunk : {4, 16, 64}) {
            Segmenter segmenter(tokenizer, documents(rule), chunk);
            segmenter.buffer() = text;
            std::vector<TokenId> ids;
            Chunk out;
            int chunks = 0;
            for (; segmenter.take(out, true); ++chunks) {
                for (const auto& piece : out.pieces) {
                    tokenizer.encode(std::string_view(out.text).substr(piece.begin, piece.end - piece.begin), ids);
                    if (piece.ends_document) ids.push_back(PairTokenizer::kBoundary);
                }
            }
            std::vector<TokenId> whole;
            for (const auto& document : cut(tokenizer, documents(rule), {text}, 1 << 20, 1 << 20)) {
                tokenizer.encode(document, whole);
                whole.push_back(PairTokenizer::kBoundary);
            }
            EXPECT_EQ(ids, whole) << rule << " " << chunk;
            EXPECT_GE(chunks, 2);
        }
    }
}

TEST(Segmenter, BoundsMemoryOverALongRunOfEmptyLines) {
    for (const char* rule : {"line", "blank_line"}) {
        Segmenter segmenter(ByteTokenizer(), documents(rule), 64);
        Chunk out;
        std::size_t largest = 0;
        segmenter.buffer() = "text\n";
        for (int i = 0; i < 1000; ++i) {
            segmenter.buffer() += std::string(10, '\n');
            while (segmenter.take(out, false)) {
            }
            largest = std::max(largest, segmenter.buffer().size());
        }
        EXPECT_LT(largest, 200U) << rule;
    }
}

TEST(Segmenter, AnUncuttableDocumentPassesWhole) {
    const std::string word(1000, 'a');
    EXPECT_THAT(cut_every_way(PairTokenizer(), documents("file"), {word}), ElementsAre(word));
}

// May be cut behind each bar, which it looks for from the end, and counts the bytes that it looks at.
class CountingTokenizer : public ByteTokenizer {
public:
    [[nodiscard]] std::size_t safe_split(std::string_view text) const override {
        const auto bar = text.rfind('|');
        looked_at += bar == std::string_view::npos ? text.size() : text.size() - bar;
        return bar == std::string_view::npos ? 0 : bar + 1;
    }
    mutable std::size_t looked_at = 0;
};

// A search that begins anew with each addition would take steps by the square of the text.
TEST(Segmenter, TheSearchForACutIsLinearInTheText) {
    constexpr std::size_t kChunk = 64, kSize = 200 * kChunk;
    const std::string run(3 * kChunk / 2, 'a'), long_run(50 * kChunk, 'a'), blanks(50 * kChunk, ' ');
    for (const auto& part : {std::string("a"), std::string(" "), "|" + run, run + "\n", "a|\n\n" + long_run,
                             "|" + blanks, "a\n\n" + blanks + long_run + "|", long_run + "|" + long_run + "\n"}) {
        std::string text;
        while (text.size() < kSize) text += part;
        for (const auto* rule : {"file", "line", "blank_line"}) {
            for (const std::size_t step : {std::size_t{1}, kChunk / 2, 5 * kChunk}) {
                const CountingTokenizer tokenizer;
                cut(tokenizer, documents(rule, 1), {text}, kChunk, step);
                EXPECT_LE(tokenizer.looked_at, 3 * text.size()) << rule << ", steps of " << step << ", " << part;
            }
        }
    }
}

TEST(Segmenter, LineTokenizersKeepAllTextAndIndexDocuments) {
    const LineTokenizer tokenizer;
    EXPECT_THAT(cut_every_way(tokenizer, documents("line"), {"a\n\n\nb\nc"}), ElementsAre("a\n\n\n", "b\n", "c"));
    EXPECT_THAT(cut_every_way(tokenizer, documents("blank_line"), {"\na\n\nb\n\n\n\nc\n"}),
                ElementsAre("\na\n\nb\n\n\n\n", "c\n"));
    EXPECT_THAT(cut_every_way(tokenizer, documents("file"), {"a\n\n", "\n\n", "b"}), ElementsAre("a\n\n", "\n\n", "b"));
}

}  // namespace
}  // namespace longbow
