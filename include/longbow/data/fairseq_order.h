// The order in which fairseq's trainer takes a corpus (data order of the paper's models): the stream is cut once into blocks of `length`,
// the last one short; the blocks are ordered once (short one first, the rest by a random permutation) and cut into batches; each epoch
// shuffles the batches. The permutations are numpy's, so that a run sees the very batches of the paper's (which were made with
// --required-batch-size-multiple 1).
#pragma once

#include <cstdint>
#include <vector>

namespace longbow {

// A training input: targets [begin, begin + length) of the stream.
struct TrainingInput {
    std::int64_t begin = 0;
    std::int64_t length = 0;
    std::int64_t epoch = 0;
    std::int64_t sample = 0;  // which sequence of the whole run it is, from 0
};

class FairseqOrder {
public:
    // `batch` sequences a micro-batch (fairseq: max_tokens / length), `accumulate` micro-batches an update and process. Throws DataError if
    // the stream is empty.
    FairseqOrder(std::int64_t tokens, std::int64_t length, std::int64_t batch, std::int64_t accumulate, std::uint64_t seed,
                 std::int64_t processes = 1, std::int64_t rank = 0);
    [[nodiscard]] std::int64_t blocks_per_epoch() const { return static_cast<std::int64_t>(order_.size()); }
    [[nodiscard]] std::int64_t batches_per_epoch() const;
    [[nodiscard]] std::int64_t updates_per_epoch() const;
    // The `micro`-th micro-batch of the update that follows `updates` earlier ones. Empty where the epoch's batches have run out: the last
    // update of an epoch may have fewer than `accumulate`, and its last batch serve fewer than `processes`.
    [[nodiscard]] std::vector<TrainingInput> micro_batch(std::int64_t updates, std::int64_t micro) const;

private:
    [[nodiscard]] const std::vector<std::uint32_t>& batches_of(std::int64_t epoch) const;

    std::int64_t tokens_, length_, batch_, accumulate_, processes_, rank_;
    std::uint64_t seed_;
    std::vector<std::uint32_t> order_;  // blocks, in the order in which they are cut into batches
    // The batches of the epoch asked for last.
    mutable std::int64_t epoch_ = -1;
    mutable std::vector<std::uint32_t> epoch_batches_;
};

// numpy.random.RandomState(seed).permutation(size), any numpy version (the legacy generator is frozen).
std::vector<std::uint32_t> numpy_permutation(std::uint32_t size, std::uint32_t seed);

}  // namespace longbow
