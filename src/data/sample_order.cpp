// A Feistel network is a permutation whatever its round function, so that a hash of (half, round key) serves. Cycle
// walking (Black and Rogaway 2002), which repeats the permutation until the value falls below the size, turns a power
// of four into any size, in fewer than four steps on average.
#include "longbow/data/sample_order.h"

#include <fmt/core.h>

#include <algorithm>
#include <bit>

#include "longbow/core/error.h"
#include "longbow/core/random.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {
// Small domains mix slowly. With six rounds the position of every element is uniform to within the noise of the unit
// test, down to size 2.
constexpr int kRounds = 6;
}  // namespace

Permutation::Permutation(std::uint64_t size, std::uint64_t key) : size_(size), key_(mix64(key)), half_bits_(0) {
    if (size == 0) throw Error("a permutation needs at least one element");
    half_bits_ = std::max(1, (static_cast<int>(std::bit_width(size - 1)) + 1) / 2);
}

std::uint64_t Permutation::at(std::uint64_t index) const {
    if (index >= size_) {
        throw Error(fmt::format("permutation index {} is outside [0, {})", index, size_));
    }
    const std::uint64_t mask = (std::uint64_t{1} << half_bits_) - 1;
    std::uint64_t value = index;
    do {
        std::uint64_t left = value >> half_bits_;
        std::uint64_t right = value & mask;
        for (int round = 0; round < kRounds; ++round) {
            const std::uint64_t mixed = left ^ (mix64(right ^ mix64(key_ + static_cast<std::uint64_t>(round))) & mask);
            left = right;
            right = mixed;
        }
        value = left << half_bits_ | right;
    } while (value >= size_);
    return value;
}

SampleOrder::SampleOrder(std::int64_t tokens, std::int64_t length, std::uint64_t seed)
    : tokens_(tokens), length_(length), blocks_(length > 0 ? tokens / length : 0), seed_(seed) {
    if (length <= 0) throw Error("the length of a training block must be positive");
    if (tokens < length) {
        throw DataError(fmt::format(
            "the training stream has {} tokens, fewer than one block of train.length {}: give more text or a smaller length",
            with_commas(tokens), with_commas(length)));
    }
}

std::int64_t SampleOrder::begin(std::int64_t sample) const {
    if (sample < 0) throw Error("a sample's number cannot be negative");
    const auto epoch = static_cast<std::uint64_t>(sample / blocks_);
    const auto index = static_cast<std::uint64_t>(sample % blocks_);
    const Permutation order(static_cast<std::uint64_t>(blocks_), seed_of(seed_, epoch));
    // The blocks leave tokens % length targets over. The offset is uniform within this slack.
    const auto slack = static_cast<std::uint64_t>(tokens_ - blocks_ * length_);
    const auto offset = static_cast<std::int64_t>(Random(seed_of(seed_, epoch, 1)).below(slack + 1));
    return offset + static_cast<std::int64_t>(order.at(index)) * length_;
}

}  // namespace longbow
