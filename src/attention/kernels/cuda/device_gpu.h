// Implements the operations of device.h in PTX for NVIDIA GPUs of compute capability 8.0 or later. Only nvcc reads this
// file.
#pragma once

#include <cstdint>

#include "start.h"

#define LONGBOW_DEVICE __device__ __forceinline__
#define LONGBOW_UNROLL _Pragma("unroll")

namespace longbow::device {

LONGBOW_DEVICE constexpr bool fault_planted(PlantedFault) { return false; }

LONGBOW_DEVICE int thread() { return static_cast<int>(threadIdx.x); }
LONGBOW_DEVICE int block_x() { return static_cast<int>(blockIdx.x); }
LONGBOW_DEVICE int block_y() { return static_cast<int>(blockIdx.y); }
LONGBOW_DEVICE int block_z() { return static_cast<int>(blockIdx.z); }
LONGBOW_DEVICE int blocks_x() { return static_cast<int>(gridDim.x); }

LONGBOW_DEVICE void sync() { __syncthreads(); }

template <class T>
LONGBOW_DEVICE T shuffle(T value, int lane) {
    return __shfl_sync(~0u, value, lane);
}
template <class T>
LONGBOW_DEVICE T shuffle_xor(T value, int mask) {
    return __shfl_xor_sync(~0u, value, mask);
}

// --- Shared memory
LONGBOW_DEVICE SharedAddress shared_memory() {
    extern __shared__ __align__(128) unsigned char longbow_shared[];
    return static_cast<SharedAddress>(__cvta_generic_to_shared(longbow_shared));
}
LONGBOW_DEVICE float load_shared(SharedAddress at) {
    float value;
    asm volatile("ld.shared.f32 %0, [%1];" : "=f"(value) : "r"(at) : "memory");
    return value;
}
LONGBOW_DEVICE void load_shared2(float& low, float& high, SharedAddress at) {
    asm volatile("ld.shared.v2.f32 {%0, %1}, [%2];" : "=f"(low), "=f"(high) : "r"(at) : "memory");
}
LONGBOW_DEVICE void store_shared(SharedAddress at, float value) {
    asm volatile("st.shared.f32 [%0], %1;" ::"r"(at), "f"(value) : "memory");
}

// --- Asynchronous copies of 16 bytes from global to shared memory. If `in_bounds` is false, nothing is read and zeros
// are written.
LONGBOW_DEVICE void copy16(SharedAddress to, const void* from, bool in_bounds) {
    const int bytes = in_bounds ? 16 : 0;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(__cvta_generic_to_global(from)),
                 "r"(bytes)
                 : "memory");
}
LONGBOW_DEVICE void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Waits until this thread's copies have arrived, except those of the last kPending groups.
template <int kPending>
LONGBOW_DEVICE void wait_copies() {
    asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}

// --- Matrices of four 8 x 8 blocks of 16-bit values. Lanes 8 m .. 8 m + 7 give the addresses of block m's rows.
LONGBOW_DEVICE void load_matrices(std::uint32_t (&r)[4], SharedAddress row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(row)
                 : "memory");
}
LONGBOW_DEVICE void load_matrices_transposed(std::uint32_t (&r)[4], SharedAddress row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(row)
                 : "memory");
}

// c[16 x 8] += a[16 x 16] b[16 x 8]
LONGBOW_DEVICE void mma_bf16(float (&c)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
LONGBOW_DEVICE void mma_f16(float (&c)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
// c[16 x 8] += a[16 x 8] b[8 x 8]; a and b were rounded by to_tf32
LONGBOW_DEVICE void mma_tf32(float (&c)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
    asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// --- Numbers
LONGBOW_DEVICE std::uint32_t bits_of(float x) { return __float_as_uint(x); }
LONGBOW_DEVICE float float_of(std::uint32_t x) { return __uint_as_float(x); }
LONGBOW_DEVICE float exp2_fast(float x) {  // relative error 2^-22; subnormal results become 0
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}
// Products and sums that are rounded one by one. Plain a * b + c would become one fused operation where the compiler
// can.
LONGBOW_DEVICE float multiply_rounded(float a, float b) { return __fmul_rn(a, b); }
LONGBOW_DEVICE float add_rounded(float a, float b) { return __fadd_rn(a, b); }
LONGBOW_DEVICE double multiply_rounded(double a, double b) { return __dmul_rn(a, b); }
LONGBOW_DEVICE double add_rounded(double a, double b) { return __dadd_rn(a, b); }
LONGBOW_DEVICE std::uint32_t to_tf32(float x) {
    std::uint32_t y;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(y) : "f"(x));
    return y;
}
LONGBOW_DEVICE std::uint32_t pack_bf16(float low, float high) {
    std::uint32_t y;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low));
    return y;
}
LONGBOW_DEVICE std::uint32_t pack_f16(float low, float high) {
    std::uint32_t y;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low));
    return y;
}
LONGBOW_DEVICE float f16_to_float(std::uint32_t low_bits) {
    float y;
    asm("{.reg .b16 h; cvt.u16.u32 h, %1; cvt.f32.f16 %0, h;}" : "=f"(y) : "r"(low_bits));
    return y;
}

// --- Kernels
template <class K>
__global__ void __launch_bounds__(K::kThreads, K::kBlocks) run(const __grid_constant__ K kernel) {
    kernel();
}

template <class K>
struct StartByRuntime {
    const K& kernel;
    dim3 blocks;
    cudaStream_t stream;

    int take_error() const { return cudaGetLastError(); }
    int raise_shared_limit() const {
        return cudaFuncSetAttribute(run<K>, cudaFuncAttributeMaxDynamicSharedMemorySize, K::kSharedBytes);
    }
    void launch() const { run<K><<<blocks, K::kThreads, K::kSharedBytes, stream>>>(kernel); }
};

template <class K>
StartResult start(const K& kernel, int blocks_x, int blocks_y, int blocks_z, void* stream) {
    const dim3 blocks(static_cast<unsigned>(blocks_x), static_cast<unsigned>(blocks_y),
                      static_cast<unsigned>(blocks_z));
    return start_through(StartByRuntime<K>{kernel, blocks, static_cast<cudaStream_t>(stream)},
                         K::kSharedBytes > 48 * 1024);
}

inline const char* error_name(int error) { return cudaGetErrorName(static_cast<cudaError_t>(error)); }
inline const char* error_text(int error) { return cudaGetErrorString(static_cast<cudaError_t>(error)); }

// Whether work on this stream is recorded for a CUDA graph instead of being run.
inline bool capturing(void* stream) {
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    if (cudaStreamIsCapturing(static_cast<cudaStream_t>(stream), &status) != cudaSuccess) {
        // The start of the kernel will fail too, and says why.
        cudaGetLastError();
        return false;
    }
    return status != cudaStreamCaptureStatusNone;
}

}  // namespace longbow::device
