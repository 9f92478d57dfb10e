// The kind hf: a tokenizer.json, taken apart into its components (src/text/hf).
#pragma once

#include <map>
#include <memory>
#include <optional>

#include "hf/added_tokens.h"
#include "hf/bpe.h"
#include "hf/decoder.h"
#include "hf/normalizer.h"
#include "hf/post_processor.h"
#include "hf/pre_tokenizer.h"
#include "hf/tokenizer_json.h"
#include "longbow/text/hf_tokenizer.h"

namespace longbow {

class HfTokenizer : public Tokenizer {
public:
    // Throws DataError.
    HfTokenizer(std::string json, const std::string& name, HfTokenizerOptions options);
    static constexpr const char* kKind = "hf";
    [[nodiscard]] std::string kind() const override { return kKind; }
    [[nodiscard]] std::int64_t vocab_size() const override { return vocab_size_; }
    [[nodiscard]] TokenId boundary() const override { return boundary_; }
    void encode(std::string_view text, std::vector<TokenId>& ids) const override;
    // Special tokens are printed. Bytes that are no UTF-8 stay as they are, unless a ByteFallback decodes them.
    [[nodiscard]] std::string decode(const std::vector<TokenId>& ids) const override;
    [[nodiscard]] std::string token_text(TokenId id) const override;
    [[nodiscard]] std::size_t safe_split(std::string_view text) const override;
    [[nodiscard]] std::map<std::string, std::string> files() const override;
    [[nodiscard]] std::vector<TokenId> special_prefix() const override { return around_.prefix; }
    [[nodiscard]] std::vector<TokenId> special_suffix() const override { return around_.suffix; }
    [[nodiscard]] std::optional<TokenId> find_token(std::string_view text) const override;

private:
    HfTokenizer(const hf::TokenizerJson& file, std::string json, const std::string& name, HfTokenizerOptions options);
    void add_tokens(std::vector<hf::Component> entries, const std::string& name);
    [[nodiscard]] TokenId find_boundary(const std::string& name) const;

    std::string json_;
    HfTokenizerOptions options_;
    hf::Normalizer normalizer_;
    hf::PreTokenizer pre_tokenizer_;
    hf::PostProcessor around_;
    hf::Decoder decoder_;
    hf::Bpe bpe_;
    std::map<TokenId, hf::AddedToken> added_;
    std::map<TokenId, std::string> normalized_;  // of added tokens whose normalized text is another
    std::map<std::string, TokenId, std::less<>> added_ids_;
    std::unique_ptr<hf::AddedTokens> raw_tokens_, normalized_tokens_;
    std::int64_t vocab_size_ = 0;
    TokenId boundary_ = 0;
    std::uint64_t cache_owner_;
};

}  // namespace longbow
