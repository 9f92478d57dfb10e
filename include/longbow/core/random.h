// Random numbers as functions of their coordinates (seed, update, ..), so that a checkpoint has no generator state to
// save.
#pragma once

#include <cstdint>

namespace longbow {

// The finalizer of splitmix64: a bijection on 64 bits with good avalanche (Steele, Lea, Flood 2014).
constexpr std::uint64_t mix64(std::uint64_t x) {
    x += 0x9e3779b97f4a7c15ULL;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

// Combines several coordinates into one seed, e.g. seed_of(seed, update, micro_batch, rank).
template <class... Rest>
constexpr std::uint64_t seed_of(std::uint64_t first, Rest... rest) {
    std::uint64_t state = mix64(first);
    ((state = mix64(state ^ mix64(static_cast<std::uint64_t>(rest)))), ...);
    return state;
}

// A small generator for shuffles and sampling. It hashes a counter with mix64(), and gives the same numbers on every
// platform.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(mix64(seed)) {}
    std::uint64_t next() { return mix64(state_++ ^ 0xd1b54a32d192ed03ULL); }
    // Returns a number that is uniform in [0, bound). The 128-bit multiplication leaves a bias of at most bound / 2^64.
    std::uint64_t below(std::uint64_t bound) {
        return static_cast<std::uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64);
    }
    // Returns a number that is uniform in [0, 1).
    double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

private:
    std::uint64_t state_;
};

}  // namespace longbow
