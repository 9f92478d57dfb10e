// Merges are applied in the order of `tokenizers`: always the pair of lowest rank, and the leftmost of equal pairs.
// Short words are merged by scanning an array, long ones (a line of dashes, a base64 blob) with a heap over a linked
// list, in O(n log n).
#include "bpe_encoder.h"

#include <queue>

namespace longbow {

namespace {

constexpr std::size_t kShort = 48;

std::uint64_t slot_hash(std::uint64_t pair) {
    pair *= 0x9E3779B97F4A7C15ULL;
    return pair ^ (pair >> 32);
}

}  // namespace

BpeEncoder::BpeEncoder(const BpeModel& model) : byte_ids_(model.byte_ids) {
    std::size_t size = 64;
    while (size < model.merges.size() * 4) size *= 2;
    rules_.resize(size);
    for (std::uint32_t rank = 0; rank < model.merges.size(); ++rank) {
        const auto& merge = model.merges[rank];
        const auto pair = std::uint64_t{merge.left} << 32 | merge.right;
        std::size_t i = slot_hash(pair) & (size - 1);
        while (rules_[i].pair != kNoPair) i = (i + 1) & (size - 1);
        rules_[i] = {pair, rank, merge.result};
    }
}

BpeEncoder::Rule BpeEncoder::find(TokenId left, TokenId right) const {
    const auto pair = std::uint64_t{left} << 32 | right;
    for (std::size_t i = slot_hash(pair) & (rules_.size() - 1);; i = (i + 1) & (rules_.size() - 1)) {
        if (rules_[i].pair == pair) return rules_[i];
        if (rules_[i].pair == kNoPair) return {kNoPair, kNoRank, 0};
    }
}

void BpeEncoder::encode(std::string_view word, WordCache& cache, std::vector<TokenId>& ids) const {
    if (word.size() == 1) {
        ids.push_back(byte_ids_[static_cast<unsigned char>(word[0])]);
        return;
    }
    if (word.size() > WordCache::kLongest) {
        if (word.size() <= kShort)
            merge_short(word, ids);
        else
            merge_long(word, ids);
        return;
    }
    const WordCache::Key key(word);
    if (cache.append(key, ids)) return;
    const auto begin = ids.size();
    merge_short(word, ids);
    cache.put(key, ids.data() + begin, ids.size() - begin);
}

void BpeEncoder::merge_short(std::string_view word, std::vector<TokenId>& ids) const {
    TokenId symbols[kShort];
    Rule rules[kShort];  // rules[i] is for symbols[i] and symbols[i + 1]
    std::size_t count = word.size();
    for (std::size_t i = 0; i < count; ++i) symbols[i] = byte_ids_[static_cast<unsigned char>(word[i])];
    for (std::size_t i = 0; i + 1 < count; ++i) rules[i] = find(symbols[i], symbols[i + 1]);
    while (count > 1) {
        std::size_t best = 0;
        for (std::size_t i = 1; i + 1 < count; ++i) {
            if (rules[i].rank < rules[best].rank) best = i;
        }
        if (rules[best].rank == kNoRank) break;
        symbols[best] = rules[best].result;
        for (std::size_t i = best + 1; i + 1 < count; ++i) {
            symbols[i] = symbols[i + 1];
            rules[i] = rules[i + 1];
        }
        --count;
        if (best > 0) rules[best - 1] = find(symbols[best - 1], symbols[best]);
        if (best + 1 < count) rules[best] = find(symbols[best], symbols[best + 1]);
    }
    ids.insert(ids.end(), symbols, symbols + count);
}

void BpeEncoder::merge_long(std::string_view word, std::vector<TokenId>& ids) const {
    constexpr std::size_t kEnd = static_cast<std::size_t>(-1);
    struct Symbol {
        TokenId id;
        bool alive;
        std::size_t before, after;
    };
    struct Candidate {
        std::uint32_t rank;
        std::size_t at;
        std::uint64_t pair;
        TokenId result;
        bool operator<(const Candidate& other) const { return rank != other.rank ? rank > other.rank : at > other.at; }
    };
    std::vector<Symbol> symbols(word.size());
    for (std::size_t i = 0; i < word.size(); ++i) {
        symbols[i] = {byte_ids_[static_cast<unsigned char>(word[i])], true, i == 0 ? kEnd : i - 1,
                      i + 1 == word.size() ? kEnd : i + 1};
    }
    std::priority_queue<Candidate> queue;
    const auto consider = [&](std::size_t at) {
        const auto after = symbols[at].after;
        if (after == kEnd) return;
        const auto rule = find(symbols[at].id, symbols[after].id);
        if (rule.rank != kNoRank) queue.push({rule.rank, at, rule.pair, rule.result});
    };
    for (std::size_t i = 0; i + 1 < word.size(); ++i) consider(i);
    while (!queue.empty()) {
        const auto top = queue.top();
        queue.pop();
        auto& left = symbols[top.at];
        // Pairs that an earlier merge has changed stay in the heap and are skipped here.
        if (!left.alive || left.after == kEnd || (std::uint64_t{left.id} << 32 | symbols[left.after].id) != top.pair)
            continue;
        auto& right = symbols[left.after];
        left.id = top.result;
        right.alive = false;
        left.after = right.after;
        if (left.after != kEnd) symbols[left.after].before = top.at;
        if (left.before != kEnd) consider(left.before);
        consider(top.at);
    }
    for (std::size_t i = 0; i != kEnd; i = symbols[i].after) ids.push_back(symbols[i].id);
}

}  // namespace longbow
