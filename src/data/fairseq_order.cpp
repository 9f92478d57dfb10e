#include "longbow/data/fairseq_order.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>
#include <random>
#include <utility>

#include "longbow/core/error.h"

namespace longbow {

namespace {

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace

// Shuffles as numpy does: Fisher-Yates from the end, with each index drawn by rejection from 32 random bits under the
// smallest mask that covers the range.
std::vector<std::uint32_t> numpy_permutation(std::uint32_t size, std::uint32_t seed) {
    std::vector<std::uint32_t> permutation(size);
    std::iota(permutation.begin(), permutation.end(), 0U);
    std::mt19937 bits(seed);
    for (std::uint32_t i = size; i-- > 1;) {
        const std::uint32_t mask = std::numeric_limits<std::uint32_t>::max() >> std::countl_zero(i);
        std::uint32_t j = 0;
        do {
            j = static_cast<std::uint32_t>(bits()) & mask;
        } while (j > i);
        std::swap(permutation[i], permutation[j]);
    }
    return permutation;
}

FairseqOrder::FairseqOrder(std::int64_t tokens, std::int64_t length, std::int64_t batch, std::int64_t accumulate,
                           std::uint64_t seed, std::int64_t processes, std::int64_t rank)
    : tokens_(tokens),
      length_(length),
      batch_(batch),
      accumulate_(accumulate),
      processes_(processes),
      rank_(rank),
      seed_(seed) {
    if (tokens < 1) throw DataError("the training stream is empty");
    if (length < 1 || batch < 1 || accumulate < 1 || rank < 0 || rank >= processes)
        throw Error("an order needs positive sizes");
    const auto blocks = ceil_div(tokens, length);
    if (blocks > std::numeric_limits<std::uint32_t>::max())
        throw DataError("train.order: fairseq serves at most 4,294,967,295 blocks");
    const auto key = numpy_permutation(static_cast<std::uint32_t>(blocks), static_cast<std::uint32_t>(seed));
    // fairseq sorts the blocks by length, then by key. Since the keys are a permutation and only the last block can be
    // short, placing each block at its key and moving the short one to the front gives the same order.
    order_.resize(key.size());
    for (std::size_t block = 0; block < key.size(); ++block) order_[key[block]] = static_cast<std::uint32_t>(block);
    if (tokens % length != 0) {
        const auto last = std::find(order_.begin(), order_.end(), static_cast<std::uint32_t>(blocks - 1));
        std::rotate(order_.begin(), last, last + 1);
    }
}

std::int64_t FairseqOrder::batches_per_epoch() const { return ceil_div(blocks_per_epoch(), batch_); }

std::int64_t FairseqOrder::updates_per_epoch() const {
    return ceil_div(ceil_div(batches_per_epoch(), processes_), accumulate_);
}

const std::vector<std::uint32_t>& FairseqOrder::batches_of(std::int64_t epoch) const {
    if (epoch_ != epoch) {
        // fairseq counts epochs from 1, and adds the epoch to the seed.
        epoch_batches_ = numpy_permutation(static_cast<std::uint32_t>(batches_per_epoch()),
                                           static_cast<std::uint32_t>(seed_ + static_cast<std::uint64_t>(epoch) + 1));
        epoch_ = epoch;
    }
    return epoch_batches_;
}

std::vector<TrainingInput> FairseqOrder::micro_batch(std::int64_t updates, std::int64_t micro) const {
    const auto epoch = updates / updates_per_epoch();
    const auto turn = (updates % updates_per_epoch() * accumulate_ + micro) * processes_ + rank_;
    if (turn >= batches_per_epoch()) return {};
    const auto& batches = batches_of(epoch);
    const auto batch = static_cast<std::int64_t>(batches[static_cast<std::size_t>(turn)]);
    const auto begin = batch * batch_;
    const auto end = std::min(begin + batch_, blocks_per_epoch());
    // The epoch's earlier batches are full, except the last one that was cut, if it is among them.
    auto sample = epoch * blocks_per_epoch() + turn * batch_;
    const auto cut_short = batches_per_epoch() * batch_ - blocks_per_epoch();
    const auto last = static_cast<std::uint32_t>(batches_per_epoch() - 1);
    if (std::find(batches.begin(), batches.begin() + turn, last) != batches.begin() + turn) sample -= cut_short;
    std::vector<TrainingInput> blocks;
    for (auto i = begin; i < end; ++i) {
        const auto first = static_cast<std::int64_t>(order_[static_cast<std::size_t>(i)]) * length_;
        blocks.push_back({first, std::min(length_, tokens_ - first), epoch, sample++});
    }
    return blocks;
}

}  // namespace longbow
