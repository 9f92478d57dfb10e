// A kind of a user's own: registered here and nowhere else, reached by a configuration and by a folder.
#include "longbow/text/tokenizer_kind.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>

#include "longbow/config/load.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"

namespace longbow {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Letters of an alphabet, which are the ids from 2 on; 1 for all other bytes, 0 ends a document.
class LetterTokenizer final : public Tokenizer {
public:
    explicit LetterTokenizer(std::string alphabet) : alphabet_(std::move(alphabet)) {}
    [[nodiscard]] std::string kind() const override { return "letter"; }
    [[nodiscard]] std::int64_t vocab_size() const override { return static_cast<std::int64_t>(alphabet_.size()) + 2; }
    [[nodiscard]] TokenId boundary() const override { return 0; }
    void encode(std::string_view text, std::vector<TokenId>& ids) const override {
        for (const char c : text) {
            const auto at = alphabet_.find(c);
            ids.push_back(at == std::string::npos ? 1 : static_cast<TokenId>(at + 2));
        }
    }
    [[nodiscard]] std::string decode(const std::vector<TokenId>& ids) const override {
        std::string text;
        for (const auto id : ids) text += id < 2 ? '?' : alphabet_.at(id - 2);
        return text;
    }
    [[nodiscard]] std::string token_text(TokenId id) const override { return decode({id}); }
    [[nodiscard]] std::size_t safe_split(std::string_view text) const override { return text.size(); }
    [[nodiscard]] std::map<std::string, std::string> files() const override {
        return {{"tokenizer.meta.json", R"({"format": 1, "kind": "letter"})"}, {"letters.txt", alphabet_}};
    }

private:
    std::string alphabet_;
};

LONGBOW_REGISTER_TOKENIZER(
    {.name = "letter",
     .help = "single letters",
     .file_help = "letters.txt",
     .options = {{"letters", std::string("abc"), "The alphabet"}, {"reversed", false, "From its end"}},
     .files = {"letters.txt"},
     .check = [](const Config& config) -> std::optional<Objection> {
         if (config.tokenizer.vocab_size == 0) return std::nullopt;
         return Objection{{"tokenizer.vocab_size"}, "an alphabet has the size that it has"};
     },
     .open = [](const TokenizerConfig& config) { return std::make_unique<LetterTokenizer>(read_file(config.file)); },
     .learn =
         [](const TokenizerConfig& config, const TrainingText&) {
             auto letters = option_string(config.options, "letters");
             if (option_bool(config.options, "reversed")) letters = {letters.rbegin(), letters.rend()};
             return std::make_unique<LetterTokenizer>(letters);
         },
     .load =
         [](const StoredTokenizer& stored) { return std::make_unique<LetterTokenizer>(stored.file("letters.txt")); }});

Config configured(const std::string& tokenizer) {
    return parse_config("data: {train: a.txt}\ntokenizer: " + tokenizer, "x.yaml", registered_config_context());
}

std::string refusal(const std::string& tokenizer) {
    try {
        configured(tokenizer);
    } catch (const ConfigError& error) {
        return error.what();
    }
    return "accepted";
}

std::vector<TokenId> ids_of(const Tokenizer& tokenizer, std::string_view text) {
    std::vector<TokenId> ids;
    tokenizer.encode(text, ids);
    return ids;
}

TEST(TokenizerKind, NeedsItsOwnFileAlone) {
    const auto config = configured("{kind: letter, letters: xyz, reversed: true}");
    const auto learnt = train_tokenizer(config.tokenizer, {}, 1);
    EXPECT_THAT(ids_of(*learnt, "zxa"), ElementsAre(2, 4, 1));
    EXPECT_EQ(learning_options(config.tokenizer).dump(), R"({"letters":"xyz","reversed":true})");

    const auto folder = fs::temp_directory_path() / ("longbow-letter-" + std::to_string(::getpid()));
    save_tokenizer(*learnt, folder);
    EXPECT_EQ(load_tokenizer(folder)->fingerprint(), learnt->fingerprint());
    const auto file = (folder / "letters.txt").string();
    EXPECT_THAT(ids_of(*open_tokenizer(configured("{kind: letter, file: " + file + "}").tokenizer), "zxa"),
                ElementsAre(2, 4, 1));
    fs::remove(folder / "letters.txt");
    EXPECT_THROW(load_tokenizer(folder), DataError);
    fs::remove_all(folder);
}

TEST(TokenizerKind, ItsOptionsAreKeysLikeAllOthers) {
    const auto& context = registered_config_context();
    const auto config = configured("{kind: letter, reversed: true}");
    EXPECT_THAT(config_yaml(config, context), HasSubstr("  letters: abc\n  reversed: true\n"));
    EXPECT_EQ(parse_config(config_yaml(config, context), "again", context), config);
    EXPECT_THAT(
        refusal("{kind: word, letters: xyz}"),
        HasSubstr(
            "x.yaml:2: tokenizer.letters has no effect here: it needs tokenizer.kind: letter, and tokenizer.kind is word"));
    EXPECT_THAT(refusal("{kind: letter, lowercase: true}"), HasSubstr("it needs tokenizer.kind: wordpiece"));
    EXPECT_THAT(refusal("{kind: letter, vocab_size: 9}"),
                HasSubstr("tokenizer.vocab_size: an alphabet has the size that it has"));
    EXPECT_THAT(refusal("{kind: leter}"), HasSubstr("did you mean 'letter'?"));
    EXPECT_THAT(config_reference(context), HasSubstr("letter (single letters)"));
    EXPECT_THAT(config_reference(context), HasSubstr("| `tokenizer.reversed` |"));
}

TEST(TokenizerKind, ContradictionsOfTheKindsAreErrors) {
    EXPECT_THAT(refusal("{kind: wordpiece}"), HasSubstr("give its vocab.txt as tokenizer.file"));
    EXPECT_THAT(refusal("{kind: bpe, vocab_size: 256}"), HasSubstr("at least 257"));
    EXPECT_EQ(refusal("{kind: bpe, vocab_size: 257}"), "accepted");
    EXPECT_EQ(refusal("{kind: word, vocab_size: 256}"), "accepted");
}

TEST(TokenizerKind, NamesAndKeysAreTakenOnce) {
    EXPECT_THROW(register_tokenizer({.name = "word"}), ConfigError);
    EXPECT_THROW(register_tokenizer({.name = "other", .options = {{"lowercase", false, "As wordpiece's"}}}),
                 ConfigError);
}

}  // namespace
}  // namespace longbow
