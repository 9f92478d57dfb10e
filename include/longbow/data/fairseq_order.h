// The order in which fairseq's trainer takes a corpus, as it did for the paper's models. The stream is cut once into
// blocks of `length`, of which the last may be short. The blocks are ordered once (the short one first, the rest by a
// random permutation) and cut into batches; each epoch shuffles the batches. The permutations are numpy's, so that a
// run sees exactly the batches of the paper's runs (which were made with --required-batch-size-multiple 1).
#pragma once

#include <cstdint>
#include <vector>

namespace longbow {

// A training input has the targets [begin, begin + length) of the stream.
struct TrainingInput {
    std::int64_t begin = 0;
    std::int64_t length = 0;
    std::int64_t epoch = 0;
    std::int64_t sample = 0;  // its number among all inputs of the run, from 0
    std::int64_t masked = 0;  // how many of its targets give no loss (TokenStream::mask())
};

class FairseqOrder {
public:
    // A micro-batch has `batch` sequences (fairseq: max_tokens / length), and an update has `accumulate` micro-batches
    // for each of `processes`. Throws DataError if the stream is empty.
    FairseqOrder(std::int64_t tokens, std::int64_t length, std::int64_t batch, std::int64_t accumulate,
                 std::uint64_t seed, std::int64_t processes = 1, std::int64_t rank = 0);
    [[nodiscard]] std::int64_t blocks_per_epoch() const { return static_cast<std::int64_t>(order_.size()); }
    // Returns the micro-batches of an epoch over all processes, and the updates that they make.
    [[nodiscard]] std::int64_t batches_per_epoch() const;
    [[nodiscard]] std::int64_t updates_per_epoch() const;
    // Returns micro-batch `micro` of the update that follows `updates` earlier ones. It is empty where the epoch has no
    // batch left: the last update of an epoch may have fewer than `accumulate` micro-batches, and its last batches may
    // not suffice for all `processes`.
    [[nodiscard]] std::vector<TrainingInput> micro_batch(std::int64_t updates, std::int64_t micro) const;

private:
    [[nodiscard]] const std::vector<std::uint32_t>& batches_of(std::int64_t epoch) const;

    std::int64_t tokens_, length_, batch_, accumulate_, processes_, rank_;
    std::uint64_t seed_;
    std::vector<std::uint32_t> order_;  // block numbers, in the order in which batches are cut
    // The batches of the most recently used epoch are cached.
    mutable std::int64_t epoch_ = -1;
    mutable std::vector<std::uint32_t> epoch_batches_;
};

// Returns numpy.random.RandomState(seed).permutation(size). The legacy generator is frozen, so that every numpy version
// gives the same.
std::vector<std::uint32_t> numpy_permutation(std::uint32_t size, std::uint32_t seed);

}  // namespace longbow
