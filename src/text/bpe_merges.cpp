#include "bpe_merges.h"

#include <queue>

namespace longbow {

namespace {

std::uint64_t slot_hash(std::uint64_t pair) {
    pair *= 0x9E3779B97F4A7C15ULL;
    return pair ^ (pair >> 32);
}

}  // namespace

BpeMerges::BpeMerges(const std::vector<BpeMerge>& merges) {
    std::size_t size = 64;
    while (size < merges.size() * 4) size *= 2;
    rules_.resize(size);
    for (std::uint32_t rank = 0; rank < merges.size(); ++rank) {
        const auto& merge = merges[rank];
        const auto pair = std::uint64_t{merge.left} << 32 | merge.right;
        std::size_t i = slot_hash(pair) & (size - 1);
        while (rules_[i].pair != kNoPair) i = (i + 1) & (size - 1);
        rules_[i] = {pair, rank, merge.result};
    }
}

BpeMerges::Rule BpeMerges::find(TokenId left, TokenId right) const {
    const auto pair = std::uint64_t{left} << 32 | right;
    for (std::size_t i = slot_hash(pair) & (rules_.size() - 1);; i = (i + 1) & (rules_.size() - 1)) {
        if (rules_[i].pair == pair) return rules_[i];
        if (rules_[i].pair == kNoPair) return {kNoPair, kNoRank, 0};
    }
}

std::size_t BpeMerges::merge_short(std::span<TokenId> symbols) const {
    Rule rules[kShort];  // rules[i] is for symbols[i] and symbols[i + 1]
    std::size_t count = symbols.size();
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
    return count;
}

std::size_t BpeMerges::merge_long(std::span<TokenId> word) const {
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
        symbols[i] = {word[i], true, i == 0 ? kEnd : i - 1, i + 1 == word.size() ? kEnd : i + 1};
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
    std::size_t count = 0;
    for (std::size_t i = 0; i != kEnd; i = symbols[i].after) word[count++] = symbols[i].id;
    return count;
}

}  // namespace longbow
