// Random numbers as functions of their coordinates: nothing to save in a checkpoint.
#pragma once

#include <cstdint>

namespace longbow {

// splitmix64's finaliser: a bijection on 64 bits with good avalanche (Steele, Lea, Flood 2014).
constexpr std::uint64_t mix64(std::uint64_t x) {
    x += 0x9e3779b97f4a7c15ULL;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

// One seed out of several coordinates, e.g. seed_of(seed, update, micro_batch, rank).
template <class... Rest>
constexpr std::uint64_t seed_of(std::uint64_t first, Rest... rest) {
    std::uint64_t state = mix64(first);
    ((state = mix64(state ^ mix64(static_cast<std::uint64_t>(rest)))), ...);
    return state;
}

// A small generator for shuffles and sampling (xorshift-free: a mixed counter), identical on every platform.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(mix64(seed)) {}
    std::uint64_t next() { return mix64(state_++ ^ 0xd1b54a32d192ed03ULL); }
    // Uniform in [0, bound), without modulo bias worth noticing (128-bit multiply).
    std::uint64_t below(std::uint64_t bound) { return static_cast<std::uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64); }
    // Uniform in [0, 1).
    double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

private:
    std::uint64_t state_;
};

}  // namespace longbow
