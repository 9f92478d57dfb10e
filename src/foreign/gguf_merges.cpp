#include "gguf_merges.h"

#include <algorithm>
#include <tuple>
#include <unordered_map>

namespace longbow {

namespace {

// All ways to cut a piece in two are tried, which takes the square of its length. Real pieces have some dozen bytes.
constexpr std::size_t kLongestPiece = 512;

struct Merge {
    std::string_view left, right;
    float score = 0;
    std::size_t left_length = 0, right_length = 0;  // characters
};

}  // namespace

std::optional<std::vector<std::pair<std::string_view, std::string_view>>> merges_by_score(
    const std::vector<std::string_view>& texts, const std::vector<std::int64_t>& types,
    const std::vector<float>& scores) {
    const auto is = [&](std::size_t id, GgufTokenType type) { return types[id] == static_cast<std::int64_t>(type); };
    std::unordered_map<std::string_view, std::size_t> ids;
    for (std::size_t id = 0; id < texts.size(); ++id) {
        if (is(id, GgufTokenType::normal) || is(id, GgufTokenType::user_defined)) ids.emplace(texts[id], id);
    }
    std::vector<Merge> merges;
    std::vector<std::size_t> starts;  // of characters
    for (std::size_t id = 0; id < texts.size(); ++id) {
        if (!is(id, GgufTokenType::normal)) continue;
        const auto text = texts[id];
        if (text.size() > kLongestPiece) return std::nullopt;
        starts.clear();
        for (std::size_t i = 0; i < text.size(); ++i) {
            if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) starts.push_back(i);
        }
        std::vector<std::pair<std::pair<std::size_t, std::size_t>, Merge>> of_piece;
        for (std::size_t i = 1; i < starts.size(); ++i) {
            const auto left = ids.find(text.substr(0, starts[i])), right = ids.find(text.substr(starts[i]));
            if (left == ids.end() || right == ids.end()) continue;
            of_piece.push_back(
                {{left->second, right->second}, {left->first, right->first, scores[id], i, starts.size() - i}});
        }
        std::sort(of_piece.begin(), of_piece.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
        for (auto& [_, merge] : of_piece) merges.push_back(merge);
    }
    std::stable_sort(merges.begin(), merges.end(), [](const Merge& a, const Merge& b) {
        return std::tuple(a.score, a.left_length, a.right_length) > std::tuple(b.score, b.left_length, b.right_length);
    });
    std::vector<std::pair<std::string_view, std::string_view>> pairs;
    pairs.reserve(merges.size());
    for (const auto& merge : merges) pairs.emplace_back(merge.left, merge.right);
    return pairs;
}

}  // namespace longbow
