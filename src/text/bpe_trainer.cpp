// The trainer repeatedly turns the most frequent pair of neighbours into a token. It updates counts only around each
// merge, and each pair knows the words that contain it, so that a merge touches only these. Every choice follows the
// rules of `tokenizers`' BpeTrainer, so that the same words give the same merges: overlapping pairs all count ("aaa"
// has "aa" twice), the pair of lower ids wins a tie, and a merge whose text is a token already gives that token again.
#include "bpe_trainer.h"

#include <fmt/core.h>

#include <algorithm>
#include <queue>
#include <unordered_map>
#include <unordered_set>

#include "longbow/core/error.h"
#include "longbow/core/failpoint.h"
#include "longbow/core/signals.h"

namespace longbow {

namespace {

using Pair = std::uint64_t;
Pair pair_of(TokenId left, TokenId right) { return Pair{left} << 32 | right; }

struct Word {
    std::int64_t count;
    std::vector<TokenId> symbols;
};

struct PairInfo {
    std::int64_t count = 0;
    std::vector<std::uint32_t> words;  // without repeats in a row; some may no longer contain the pair
};

struct Candidate {
    std::int64_t count;
    Pair pair;
    bool operator<(const Candidate& other) const {
        return count != other.count ? count < other.count : pair > other.pair;
    }
};

class Trainer {
public:
    explicit Trainer(const WordCounts& counts) {
        // As in GPT-2's vocabulary, bytes get ids in the order of their names.
        for (unsigned b = 0; b < 256; ++b) model_.names.push_back(byte_name(static_cast<unsigned char>(b)));
        std::sort(model_.names.begin(), model_.names.end());
        for (unsigned b = 0; b < 256; ++b) {
            const auto& name = byte_name(static_cast<unsigned char>(b));
            const auto id = std::lower_bound(model_.names.begin(), model_.names.end(), name) - model_.names.begin();
            model_.byte_ids[b] = static_cast<TokenId>(id);
        }
        for (TokenId id = 0; id < 256; ++id) ids_.emplace(model_.names[id], id);
        for (const auto& [text, count] : counts.sorted()) {
            Word word{count, {}};
            for (const char byte : text) word.symbols.push_back(model_.byte_ids[static_cast<unsigned char>(byte)]);
            if (word.symbols.size() > 1) words_.push_back(std::move(word));
        }
        if (words_.size() > 0xFFFFFFFE)
            throw DataError("more than 4,294,967,294 distinct words: train on a part of the text");
        for (std::uint32_t i = 0; i < words_.size(); ++i) {
            const auto& word = words_[i];
            for (std::size_t k = 0; k + 1 < word.symbols.size(); ++k) {
                add(pair_of(word.symbols[k], word.symbols[k + 1]), word.count, i);
            }
        }
        for (const auto& [pair, info] : pairs_) queue_.push({info.count, pair});
    }

    BpeModel run(std::size_t vocab_size) {
        while (model_.names.size() + 1 < vocab_size) {
            failpoint("text.merge");
            throw_if_stop_requested("nothing was written");
            if (queue_.empty()) too_few(vocab_size);
            const auto top = queue_.top();
            queue_.pop();
            const auto found = pairs_.find(top.pair);
            if (found == pairs_.end() || found->second.count <= 0) continue;
            if (found->second.count != top.count) {
                queue_.push({found->second.count, top.pair});
                continue;
            }
            apply(top.pair);
        }
        model_.boundary = static_cast<TokenId>(model_.names.size());
        model_.names.emplace_back(kEndOfText);
        return std::move(model_);
    }

private:
    void add(Pair pair, std::int64_t count, std::uint32_t word) {
        auto& info = pairs_[pair];
        info.count += count;
        if (info.words.empty() || info.words.back() != word) info.words.push_back(word);
    }

    [[noreturn]] void too_few(std::size_t vocab_size) const {
        throw DataError(
            fmt::format("the training text gives a bpe vocabulary of at most {} tokens, but {} were asked for: "
                        "lower tokenizer.vocab_size or give more text",
                        model_.names.size() + 1, vocab_size));
    }

    void apply(Pair pair) {
        const auto left = static_cast<TokenId>(pair >> 32), right = static_cast<TokenId>(pair);
        auto name = model_.names[left] + model_.names[right];
        const auto [place, is_new] = ids_.emplace(name, static_cast<TokenId>(model_.names.size()));
        const auto result = place->second;
        if (is_new) model_.names.push_back(std::move(name));
        if (merged_.insert(pair).second) model_.merges.push_back({left, right, result});

        const auto words = std::move(pairs_[pair].words);
        fresh_.clear();
        for (const auto index : words) merge_word(index, left, right, result);
        pairs_.erase(pair);
        for (const auto changed : fresh_) {
            if (const auto found = pairs_.find(changed); found != pairs_.end())
                queue_.push({found->second.count, changed});
        }
    }

    void merge_word(std::uint32_t index, TokenId left, TokenId right, TokenId result) {
        auto& word = words_[index];
        auto& s = word.symbols;
        std::size_t out = 0;
        for (std::size_t in = 0; in < s.size();) {
            if (s[in] != left || in + 1 == s.size() || s[in + 1] != right) {
                s[out++] = s[in++];
                continue;
            }
            if (out > 0) replace(pair_of(s[out - 1], left), pair_of(s[out - 1], result), index);
            if (in + 2 < s.size()) replace(pair_of(right, s[in + 2]), pair_of(result, s[in + 2]), index);
            s[out++] = result;
            in += 2;
        }
        s.resize(out);
    }

    void replace(Pair before, Pair after, std::uint32_t index) {
        const auto count = words_[index].count;
        if (const auto found = pairs_.find(before); found != pairs_.end()) found->second.count -= count;
        add(after, count, index);
        fresh_.insert(after);
    }

    BpeModel model_;
    std::unordered_map<std::string, TokenId> ids_;
    std::vector<Word> words_;
    std::unordered_map<Pair, PairInfo> pairs_;
    std::priority_queue<Candidate> queue_;
    std::unordered_set<Pair> merged_, fresh_;
};

}  // namespace

void check_bpe_size(std::int64_t vocab_size) {
    if (vocab_size < 257 || vocab_size > 0x7FFFFFFF) {
        throw DataError(fmt::format(
            "a bpe vocabulary of {} tokens does not fit: 256 bytes and <|endoftext|> need 257, and the most is "
            "2,147,483,647 (tokenizer.vocab_size)",
            vocab_size));
    }
}

BpeModel train_bpe(const WordCounts& counts, std::int64_t vocab_size) {
    check_bpe_size(vocab_size);
    auto model = Trainer(counts).run(static_cast<std::size_t>(vocab_size));
    model.bytes.clear();
    std::array<std::string, 256> byte_of;
    for (unsigned b = 0; b < 256; ++b) byte_of[model.byte_ids[b]] = std::string(1, static_cast<char>(b));
    model.bytes.assign(byte_of.begin(), byte_of.end());
    model.bytes.resize(model.names.size());
    for (const auto& merge : model.merges)
        model.bytes[merge.result] = model.bytes[merge.left] + model.bytes[merge.right];
    model.bytes[model.boundary] = kEndOfText;
    return model;
}

}  // namespace longbow
