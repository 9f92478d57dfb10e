// Uses models of libsentencepiece. Text is encoded line by line, as spm_encode does, because a sentence is the
// library's unit, its scores lose precision over longer texts, and lines can be streamed. A line keeps its newline,
// which the model's own rules treat (most remove it by normalization; models trained here have it as the byte <0x0A>).
// A line beyond 1 MiB is cut at a space.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "longbow/core/choice.h"
#include "longbow/text/tokenizer.h"
#include "longbow/text/tokenizer_kind.h"

namespace sentencepiece {
class SentencePieceProcessor;
}

namespace longbow {

// What sentencepiece learns.
enum class SentencePieceModel { unigram, bpe };

template <>
struct ChoiceTable<SentencePieceModel> {
    static constexpr Choice<SentencePieceModel> values[] = {
        {SentencePieceModel::unigram, "unigram", "a unigram language model"},
        {SentencePieceModel::bpe, "bpe", "byte-pair merges"}};
};

class SentencePieceTokenizer : public Tokenizer {
public:
    // Takes a .model file's contents; `name` stands for it in messages. Throws DataError on damage, or when the model
    // has no </s>.
    SentencePieceTokenizer(std::string model, const std::string& name);
    ~SentencePieceTokenizer() override;
    static constexpr const char* kKind = "sentencepiece";
    [[nodiscard]] std::string kind() const override { return kKind; }
    [[nodiscard]] std::int64_t vocab_size() const override;
    [[nodiscard]] TokenId boundary() const override;
    void encode(std::string_view text, std::vector<TokenId>& ids) const override;
    [[nodiscard]] std::string decode(const std::vector<TokenId>& ids) const override;
    [[nodiscard]] std::string token_text(TokenId id) const override;
    [[nodiscard]] std::size_t safe_split(std::string_view text) const override;
    [[nodiscard]] std::map<std::string, std::string> files() const override;
    // Returns whether a newline is <unk> to this model: it neither removes newlines by normalization nor has a piece or
    // bytes for them.
    [[nodiscard]] bool newline_is_unknown() const;

private:
    std::string model_;
    std::unique_ptr<sentencepiece::SentencePieceProcessor> processor_;
};

// TokenizerKind::to_hf, for models that change nothing of the text but spaces. Each line has a space in front, as in
// encode().
HfTokenizerFiles sentencepiece_to_hf(const StoredTokenizer& stored);

// The same of a .model file's contents with one space in front of a whole text, as transformers has it. nullopt for a
// model that changes more of a text than spaces, or that is not of byte pairs.
std::optional<HfPipeline> sentencepiece_pipeline(const std::string& bytes);

// Returns the library's message without the source line and condition, in brackets, at its beginning.
std::string sentencepiece_reason(const std::string& message);

// Trains a model (unigram or bpe) on a sample of the files' lines, at most 256 MiB of them, which depends only on the
// lines' numbers. Nothing is normalized, white space is kept, and characters outside the vocabulary become bytes.
// Returns the .model file's contents. Throws DataError.
std::string train_sentencepiece(const std::vector<std::string>& files, const std::string& jsonl_key,
                                SentencePieceModel kind, std::int64_t vocab_size);

}  // namespace longbow
