// Tests WordPiece: the longest pieces, byte order marks, and mistakes in the vocabulary.
#include <gmock/gmock.h>

#include "scratch.h"
#include "text/wordpiece_tokenizer.h"

namespace longbow {
namespace {

using ::testing::HasSubstr;

std::string pieces(const Tokenizer& tokenizer, std::string_view text) {
    std::vector<TokenId> ids;
    tokenizer.encode(text, ids);
    std::string line;
    for (const auto id : ids) line += tokenizer.token_text(id) + " ";
    return line;
}

const std::string kVocab =
    "[PAD]\n[UNK]\n[SEP]\nun\n##aff\n##able\nUn\n,\n\xE4\xB8\xAD\ncafe\ncaf\xC3\xA9\na\n##a\n[\n]\nsep\n";

TEST(WordPieceTest, TakesTheLongestPiecesAndWordsThatFit) {
    const WordPieceTokenizer uncased(WordPieceVocab::parse(kVocab, "v"), true);
    EXPECT_EQ(pieces(uncased, "UNaffable,unknown"), "un ##aff ##able , [UNK] ");
    EXPECT_EQ(pieces(uncased, "Caf\xC3\xA9 cafe\xCC\x81\xE4\xB8\xAD\xE4\xB8\xAD"),
              "cafe cafe \xE4\xB8\xAD \xE4\xB8\xAD ");
    EXPECT_EQ(pieces(uncased,
                     "a\xE2\x80\x8B"
                     "a\x01"
                     "a \xC2\xA0\n"),
              "a ##a ##a ");
    EXPECT_EQ(pieces(uncased, "[SEP]"), "[ sep ] ");  // the name of a special token is ordinary text
    EXPECT_EQ(pieces(uncased, std::string(101, 'a')), "[UNK] ");
    EXPECT_THAT(pieces(uncased, std::string(100, 'a')), HasSubstr("a ##a ##a"));
    EXPECT_EQ(uncased.boundary(), 2U);
    EXPECT_EQ(uncased.decode({3, 4, 5, 7, 1}), "unaffable , [UNK]");
    const WordPieceTokenizer cased(WordPieceVocab::parse(kVocab, "v"), false);
    EXPECT_EQ(pieces(cased, "Unaffable caf\xC3\xA9"), "Un ##aff ##able caf\xC3\xA9 ");
    EXPECT_NE(cased.fingerprint(), uncased.fingerprint());
}

TEST(WordPieceTest, AByteOrderMarkIsNoPartOfTheFirstToken) {
    const std::string mark = "\xEF\xBB\xBF";
    const WordPieceTokenizer plain(WordPieceVocab::parse(kVocab, "v"), true),
        marked(WordPieceVocab::parse(mark + kVocab, "v"), true);
    EXPECT_EQ(marked.token_text(0), "[PAD]");
    EXPECT_EQ(marked.fingerprint(), plain.fingerprint());
    const auto first = WordPieceVocab::parse(mark + mark + "x\n" + kVocab, "v");
    EXPECT_EQ(first.tokens[0], mark + "x");
    EXPECT_EQ(WordPieceVocab::parse(WordPieceTokenizer(first, true).files().at("vocab.txt"), "v").tokens[0],
              mark + "x");
    EXPECT_THAT(data_error([] { WordPieceVocab::parse(std::string("[UNK]\n\0\n", 8), "v"); }),
                HasSubstr("v: byte 6 is NUL"));
    EXPECT_THAT(data_error([] { WordPieceVocab::parse(std::string("\0\0\xFE\xFF\0\0\0a", 8), "v"); }),
                HasSubstr("UTF-32"));
}

TEST(WordPieceTest, MistakesInTheVocabularyAreNamed) {
    const auto message = [](const std::string& text) {
        return data_error([&] { WordPieceVocab::parse(text, "vocab.txt"); });
    };
    EXPECT_THAT(message("[UNK]\n[SEP]\na\n[SEP]\n"), HasSubstr("vocab.txt:4: token \"[SEP]\" is already in line 2"));
    EXPECT_THAT(message("[UNK]\na\n"), HasSubstr("no [SEP]"));
    EXPECT_THAT(message(""), HasSubstr("no [UNK]"));
    EXPECT_THAT(message("[UNK]\n\xFF\n"), HasSubstr("byte 6"));
}

}  // namespace
}  // namespace longbow
