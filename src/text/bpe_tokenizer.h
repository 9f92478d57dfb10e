// Byte-level BPE. Every text can be encoded, and decoding restores it byte for byte.
#pragma once

#include "bpe_encoder.h"
#include "bpe_model.h"
#include "longbow/text/hf_files.h"
#include "longbow/text/tokenizer.h"

namespace longbow {

class BpeTokenizer : public Tokenizer {
public:
    explicit BpeTokenizer(BpeModel model);
    static constexpr const char* kKind = "bpe";
    [[nodiscard]] std::string kind() const override { return kKind; }
    [[nodiscard]] std::int64_t vocab_size() const override { return static_cast<std::int64_t>(model_.names.size()); }
    [[nodiscard]] TokenId boundary() const override { return model_.boundary; }
    void encode(std::string_view text, std::vector<TokenId>& ids) const override;
    [[nodiscard]] std::string decode(const std::vector<TokenId>& ids) const override;
    [[nodiscard]] std::string token_text(TokenId id) const override;
    [[nodiscard]] std::size_t safe_split(std::string_view text) const override;
    [[nodiscard]] std::map<std::string, std::string> files() const override;

private:
    BpeModel model_;
    BpeEncoder encoder_;
    std::uint64_t cache_owner_;
};

// The same as a pipeline of `tokenizers`, without added tokens.
HfPipeline bpe_pipeline(const BpeModel& model);

}  // namespace longbow
