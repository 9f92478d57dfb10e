// Implements the device layer of the kernels (src/attention/kernels/cuda/device.h) by the emulator. The layouts of
// fragments are those of the PTX manual for m16n8k16, m16n8k8 and ldmatrix.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "../../src/attention/kernels/cuda/start.h"
#include "emulator/emulated_kernels.h"
#include "emulator/emulator.h"

#define LONGBOW_DEVICE inline
#define LONGBOW_UNROLL

namespace longbow::device {

inline bool fault_planted(PlantedFault what) { return emulator::options().planted_fault == static_cast<int>(what); }

inline int thread() { return emulator::position().thread; }
inline int block_x() { return emulator::position().block_x; }
inline int block_y() { return emulator::position().block_y; }
inline int block_z() { return emulator::position().block_z; }
inline int blocks_x() { return emulator::position().blocks_x; }

inline void sync(const char* file = __builtin_FILE(), int line = __builtin_LINE()) { emulator::barrier({file, line}); }

inline std::uint32_t bits_of(float x) {
    std::uint32_t y;
    std::memcpy(&y, &x, 4);
    return y;
}
inline float float_of(std::uint32_t x) {
    float y;
    std::memcpy(&y, &x, 4);
    return y;
}

std::uint32_t shuffle_bits(std::uint32_t value, int lane);
template <class T>
T shuffle(T value, int lane) {
    static_assert(sizeof(T) == 4);
    std::uint32_t bits;
    std::memcpy(&bits, &value, 4);
    bits = shuffle_bits(bits, lane);
    std::memcpy(&value, &bits, 4);
    return value;
}
template <class T>
T shuffle_xor(T value, int mask) {
    return shuffle(value, (thread() & 31) ^ mask);
}

inline SharedAddress shared_memory() { return 0; }
inline float load_shared(SharedAddress at) {
    float value;
    emulator::load_floats(&value, 1, at);
    return value;
}
inline void load_shared2(float& low, float& high, SharedAddress at) {
    float both[2];
    emulator::load_floats(both, 2, at);
    low = both[0], high = both[1];
}
inline void store_shared(SharedAddress at, float value) { emulator::store_float(at, value); }

inline void copy16(SharedAddress to, const void* from, bool in_bounds) { emulator::copy16(to, from, in_bounds); }
inline void commit_copies() { emulator::commit_copies(); }
template <int kPending>
void wait_copies(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    emulator::wait_copies(kPending, {file, line});
}

inline void load_matrices(std::uint32_t (&r)[4], SharedAddress row) { emulator::load_matrices(r, row, false); }
inline void load_matrices_transposed(std::uint32_t (&r)[4], SharedAddress row) {
    emulator::load_matrices(r, row, true);
}
void mma_bf16(float (&c)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]);
void mma_f16(float (&c)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]);
void mma_tf32(float (&c)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]);

inline float exp2_fast(float x) { return x < -126.0f ? 0.0f : std::exp2(x); }
inline float multiply_rounded(float a, float b) { return a * b; }
inline float add_rounded(float a, float b) { return a + b; }
inline double multiply_rounded(double a, double b) { return a * b; }
inline double add_rounded(double a, double b) { return a + b; }
// Rounds to nearest, ties away from zero.
inline std::uint32_t to_tf32(float x) { return (bits_of(x) + 0x1000u) & ~0x1FFFu; }
std::uint32_t pack_bf16(float low, float high);
std::uint32_t pack_f16(float low, float high);
float f16_to_float(std::uint32_t low_bits);

template <class K>
void run(const K& kernel, int blocks_x, int blocks_y, int blocks_z) {
    emulator::launch(blocks_x, blocks_y, blocks_z, K::kThreads, K::kSharedBytes, [&kernel] { kernel(); });
}
template <class K>
StartResult start(const K& kernel, int blocks_x, int blocks_y, int blocks_z, void* /*stream*/) {
    static_cast<void>(&emulator::Listed<K, &run<K>>::done);
    if (const int error = emulator::options().start_error) return {error, false};
    run(kernel, blocks_x, blocks_y, blocks_z);
    return {};
}
inline const char* error_name(int /*error*/) { return "emulatedError"; }
inline const char* error_text(int /*error*/) { return "an error that a test has planted"; }
inline bool capturing(void* /*stream*/) { return emulator::options().capturing; }

}  // namespace longbow::device
