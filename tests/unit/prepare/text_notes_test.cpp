// Tests what the user is told of a text that contains names of the boundary, which is seldom meant, and of files that
// are named twice.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "prepare/inputs.h"
#include "prepare/text_notes.h"
#include "unit/data/fake_tokenizers.h"

namespace longbow {
namespace {

using testing::ElementsAre;

class EndTokenizer : public test::ByteTokenizer {
public:
    explicit EndTokenizer(bool lines) : lines_(lines) {}
    [[nodiscard]] bool boundary_per_line() const override { return lines_; }
    [[nodiscard]] std::string token_text(TokenId id) const override {
        return id == kBoundary ? "<end>" : ByteTokenizer::token_text(id);
    }

private:
    bool lines_;
};

// Counts the boundary's names in the text, which is added in chunks of `step` bytes (-1: as one chunk).
std::int64_t names_in(const std::string& text, std::size_t step, bool lines = false) {
    TextNotes notes{EndTokenizer(lines)};
    for (std::size_t at = 0; at < text.size(); at += step) {
        EncodedChunk chunk;
        chunk.text = text.substr(at, step);
        notes.add(chunk);
    }
    return notes.counts().boundary_names;
}

TEST(TextNotes, CountNamesOfTheBoundaryHoweverTheTextIsCut) {
    const std::string text = "one<end>two\n<end>\n<end <end><end>nd> en<end>";
    for (std::size_t step = 1; step <= text.size(); ++step) EXPECT_EQ(names_in(text, step), 5) << step;
    // A tokenizer of words reads the name only where it is a whole word.
    EXPECT_EQ(names_in("one <end>\n<end>x x<end>\n<end>", 100, /*lines=*/true), 2);
}

TEST(TextNotes, CountDocumentsOfJsonLinesApart) {
    TextNotes notes{EndTokenizer(false), {1, 2}};
    EncodedChunk chunk;
    chunk.text = std::string("<en") + "d>a<end>" + std::string(3, '\0');
    chunk.pieces = {{0, 3, true}, {3, chunk.text.size(), true}};
    chunk.separate_documents = true;
    notes.add(chunk);
    EXPECT_EQ(notes.counts().boundary_names, 2);
    EXPECT_EQ(notes.counts().nuls, 5);
}

TEST(Inputs, AFileIsReadOnceHoweverOftenItIsNamed) {
    namespace fs = std::filesystem;
    const auto home = fs::temp_directory_path() / ("longbow-inputs-" + std::to_string(::getpid()));
    fs::create_directories(home / "d");
    for (const char* name : {"d/a", "d/b", "copy"}) std::ofstream(home / name) << "text";
    fs::create_symlink(home / "d/a", home / "link");
    fs::create_hard_link(home / "d/b", home / "hard");
    const auto at = [&](const char* name) { return (home / name).string(); };
    EXPECT_THAT(without_duplicates("train", {at("d/b"), at("d/a"), at("d/b"), at("d/./a"), at("link"), at("hard"),
                                             at("copy"), at("none"), at("none")}),
                ElementsAre(at("d/b"), at("d/a"), at("copy"), at("none"), at("none")));
    DataConfig data;
    data.train = {at("link"), at("d")};
    data.valid = {at("d/a")};
    const auto expanded = expand_inputs(data);
    EXPECT_THAT(expanded.train, ElementsAre(at("link"), at("d/b")));
    EXPECT_THAT(expanded.valid, ElementsAre(at("d/a")));
    fs::remove_all(home);
}

}  // namespace
}  // namespace longbow
