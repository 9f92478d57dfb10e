// Computes the dropout mask of attention as a function of coordinates alone: Philox4x32-7 (Salmon et al., SC 2011) of
// (seed, offset) and of (query, key / 16, batch * heads + head). Its 16 bytes decide 16 consecutive keys. The mask
// therefore depends on neither the tile shape nor the device, and the backward pass can draw it again. Host and device
// compile this one file, so it includes no torch or CUDA header. The functions are `static` so that each instruction
// set keeps its own copy (see cpu/geometry.h).
#pragma once

#include <cstdint>

#if defined(__CUDACC__)
#define LONGBOW_HOST_DEVICE __host__ __device__
#else
#define LONGBOW_HOST_DEVICE
#endif

namespace longbow {

struct PhiloxBlock {
    std::uint32_t word[4];
};

LONGBOW_HOST_DEVICE static inline PhiloxBlock philox4x32_7(std::uint64_t key, std::uint32_t c0, std::uint32_t c1,
                                                           std::uint32_t c2, std::uint32_t c3) {
    auto k0 = static_cast<std::uint32_t>(key);
    auto k1 = static_cast<std::uint32_t>(key >> 32);
    for (int round = 0; round < 7; ++round) {
        const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c0;
        const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * c2;
        const auto n0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ k0;
        const auto n2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ k1;
        c1 = static_cast<std::uint32_t>(p1);
        c3 = static_cast<std::uint32_t>(p0);
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return {{c0, c1, c2, c3}};
}

// Returns 16 random bytes for keys 16 * key_group .. 16 * key_group + 15 of one query; byte j % 4 (little endian) of
// word j / 4 is key j's. A key is kept if its byte is below dropout_keep. The offset's low half is XORed into the high
// half of Philox's key, and its high half is the last word of the counter.
LONGBOW_HOST_DEVICE static inline PhiloxBlock dropout_bytes(std::uint64_t seed, std::uint64_t offset,
                                                            std::uint32_t query, std::uint32_t key_group,
                                                            std::uint32_t batch_head) {
    return philox4x32_7(seed ^ (offset << 32), query, key_group, batch_head, static_cast<std::uint32_t>(offset >> 32));
}

LONGBOW_HOST_DEVICE static inline bool dropout_keeps(const PhiloxBlock& block, int key_in_group, int keep) {
    return static_cast<int>((block.word[key_in_group >> 2] >> (8 * (key_in_group & 3))) & 0xFFu) < keep;
}

}  // namespace longbow
