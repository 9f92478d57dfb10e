// Which block of the training stream comes n-th: a function of (seed, epoch, index), so that the place in the data is one integer.
#pragma once

#include <cstdint>

namespace longbow {

// A keyed permutation of [0, size): a Feistel network with cycle walking; no table, O(1) at any index.
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

// Blocks of `length` targets cut from a stream of `tokens` targets, in a new order each epoch. tokens % length targets are left over;
// the first block starts at an offset within that slack, drawn anew each epoch. Throws DataError if tokens < length.
class SampleOrder {
public:
    SampleOrder(std::int64_t tokens, std::int64_t length, std::uint64_t seed);
    [[nodiscard]] std::int64_t blocks_per_epoch() const { return blocks_; }
    [[nodiscard]] std::int64_t length() const { return length_; }
    // First target position of the sample-th block ever consumed (sample = epoch * blocks_per_epoch + index).
    [[nodiscard]] std::int64_t begin(std::int64_t sample) const;

private:
    std::int64_t tokens_, length_, blocks_;
    std::uint64_t seed_;
};

}  // namespace longbow
