// Computes which block of the training stream comes n-th as a function of (seed, epoch, index), so that the position in
// the data is a single integer in a checkpoint.
#pragma once

#include <cstdint>

namespace longbow {

// A keyed permutation of [0, size), made with a Feistel network and cycle walking. It needs no table and O(1) time for
// any index.
class Permutation {
public:
    Permutation(std::uint64_t size, std::uint64_t key);
    [[nodiscard]] std::uint64_t at(std::uint64_t index) const;
    [[nodiscard]] std::uint64_t size() const { return size_; }

private:
    std::uint64_t size_;
    std::uint64_t key_;
    int half_bits_;
};

// Cuts blocks of `length` targets from a stream of `tokens` targets and orders them anew each epoch. tokens % length
// targets remain outside the blocks; the first block starts at an offset within them, which is drawn anew each epoch.
// Throws DataError if tokens < length.
class SampleOrder {
public:
    SampleOrder(std::int64_t tokens, std::int64_t length, std::uint64_t seed);
    [[nodiscard]] std::int64_t blocks_per_epoch() const { return blocks_; }
    [[nodiscard]] std::int64_t length() const { return length_; }
    // Returns the first target position of block `sample`, counted over all epochs (sample = epoch * blocks_per_epoch +
    // index).
    [[nodiscard]] std::int64_t begin(std::int64_t sample) const;

private:
    std::int64_t tokens_, length_, blocks_;
    std::uint64_t seed_;
};

}  // namespace longbow
