// SentencePiece's pieces with their scores, as merges in their order.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace longbow {

// tokenizer.ggml.token_type
enum class GgufTokenType : std::int64_t { normal = 1, unknown, control, user_defined, unused, byte };

// SentencePiece merges the pair whose result has the best score. As ranks: every pair of pieces that make a piece, the
// best first; of equal scores the longer left part, then the longer right part, as transformers orders them. All lists
// are by id. Returns nothing where a piece is longer than any real one.
std::optional<std::vector<std::pair<std::string_view, std::string_view>>> merges_by_score(
    const std::vector<std::string_view>& texts, const std::vector<std::int64_t>& types,
    const std::vector<float>& scores);

}  // namespace longbow
