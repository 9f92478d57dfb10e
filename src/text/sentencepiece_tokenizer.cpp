#include "sentencepiece_tokenizer.h"

#include <sentencepiece_processor.h>

#include <algorithm>

#include "longbow/core/utf8.h"
#include "longbow/telemetry/log.h"
#include "longbow/text/tokenizer_kind.h"
#include "meta.h"

namespace longbow {

namespace {

constexpr std::size_t kLongestLine = 1 << 20;

// Returns the length of the first part of `text` to encode: a line with its newline or, of a longer line, the longest
// part that ends before a space or at least between characters. Returns 0 when the end can only be known with more
// text.
std::size_t unit_length(std::string_view text) {
    const auto newline = text.substr(0, kLongestLine).find('\n');
    if (newline != std::string_view::npos) return newline + 1;
    if (text.size() <= kLongestLine) return 0;
    const auto part = text.substr(0, kLongestLine);
    const auto space = part.rfind(' ');
    if (space != std::string_view::npos && space > 0) return space;
    return part.size() - incomplete_utf8_tail(part);
}

void check(const sentencepiece::util::Status& status, const std::string& what) {
    if (!status.ok()) throw DataError(what + ": " + sentencepiece_reason(status.error_message()));
}

}  // namespace

std::string sentencepiece_reason(const std::string& message) {
    const auto end = message.find("] ");
    const auto reason = end == std::string::npos ? message : message.substr(end + 2);
    return reason.empty() ? "the library cannot read it" : reason;
}

SentencePieceTokenizer::SentencePieceTokenizer(std::string model, const std::string& name)
    : model_(std::move(model)), processor_(std::make_unique<sentencepiece::SentencePieceProcessor>()) {
    if (model_.empty()) throw DataError(name + ": not a sentencepiece model: the file is empty");
    check(processor_->LoadFromSerializedProto(model_), name + ": not a sentencepiece model");
    if (processor_->eos_id() < 0)
        throw DataError(name + ": the model has no </s>, which ends documents; train it with an eos_id");
}

SentencePieceTokenizer::~SentencePieceTokenizer() = default;

std::int64_t SentencePieceTokenizer::vocab_size() const { return processor_->GetPieceSize(); }

TokenId SentencePieceTokenizer::boundary() const { return static_cast<TokenId>(processor_->eos_id()); }

void SentencePieceTokenizer::encode(std::string_view text, std::vector<TokenId>& ids) const {
    std::vector<int> unit;
    while (!text.empty()) {
        auto length = unit_length(text);
        if (length == 0) length = text.size();
        unit.clear();
        check(processor_->Encode(text.substr(0, length), &unit), "sentencepiece cannot encode");
        ids.insert(ids.end(), unit.begin(), unit.end());
        text.remove_prefix(length);
    }
}

// Decodes line by line, because the library removes the space that it put before a line only from the first.
std::string SentencePieceTokenizer::decode(const std::vector<TokenId>& ids) const {
    std::string text;
    std::vector<int> line;
    const auto flush = [&] {
        std::string part;
        check(processor_->Decode(line, &part), "sentencepiece cannot decode");
        text += part;
        line.clear();
    };
    for (const auto id : ids) {
        const auto& piece = processor_->IdToPiece(static_cast<int>(checked_id(*this, id)));
        if (processor_->IsControl(static_cast<int>(id))) {
            flush();
            text += piece;
            continue;
        }
        line.push_back(static_cast<int>(id));
        if (piece == "<0x0A>" || piece.ends_with('\n')) flush();
    }
    flush();
    return text;
}

std::string SentencePieceTokenizer::token_text(TokenId id) const {
    return processor_->IdToPiece(static_cast<int>(checked_id(*this, id)));
}

std::size_t SentencePieceTokenizer::safe_split(std::string_view text) const {
    std::size_t split = 0;
    while (const auto length = unit_length(text.substr(split))) split += length;
    return split;
}

bool SentencePieceTokenizer::newline_is_unknown() const {
    std::vector<int> ids;
    check(processor_->Encode("\n", &ids), "sentencepiece cannot encode");
    return std::find(ids.begin(), ids.end(), processor_->unk_id()) != ids.end();
}

std::map<std::string, std::string> SentencePieceTokenizer::files() const {
    return {{kMetaFile, meta_text(kKind)}, {"tokenizer.model", model_}};
}

namespace {

std::unique_ptr<Tokenizer> open_sentencepiece(const TokenizerConfig& config) {
    auto tokenizer = std::make_unique<SentencePieceTokenizer>(read_vocabulary(config.file), config.file);
    if (tokenizer->newline_is_unknown()) {
        log::warn(
            config.file +
            ": this model has no piece for a newline, so that each line's end is <unk>; train it with byte_fallback, "
            "or with the newline among its user_defined_symbols, to tell lines apart");
    }
    return tokenizer;
}

std::unique_ptr<Tokenizer> learn_sentencepiece(const TokenizerConfig& config, const TrainingText& text) {
    const auto model = option_choice<SentencePieceModel>(config.options, "sentencepiece_model");
    return std::make_unique<SentencePieceTokenizer>(
        train_sentencepiece(text.files, text.jsonl_key, model, learnt_size(config)), "the trained model");
}

std::unique_ptr<Tokenizer> load_sentencepiece(const StoredTokenizer& stored) {
    return std::make_unique<SentencePieceTokenizer>(stored.file("tokenizer.model"), stored.place + "tokenizer.model");
}

OptionSpec model_option() {
    auto option = choice_option("sentencepiece_model", SentencePieceModel::unigram, "What sentencepiece learns");
    option.conditions = {
        {"tokenizer.file", "no tokenizer.file", [](const Config& config) { return config.tokenizer.file.empty(); }}};
    return option;
}

}  // namespace

LONGBOW_REGISTER_TOKENIZER({.name = SentencePieceTokenizer::kKind,
                            .file_help = "a .model",
                            .options = {model_option()},
                            .files = {"tokenizer.model"},
                            .open = open_sentencepiece,
                            .learn = learn_sentencepiece,
                            .load = load_sentencepiece,
                            .to_hf = sentencepiece_to_hf});

}  // namespace longbow
