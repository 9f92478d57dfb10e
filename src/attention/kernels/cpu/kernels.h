// What one instruction set offers: the same functions, compiled once for each in a file of its own (portable.cpp, avx2.cpp, ...), and
// chosen at run time. Everything behind them lives in unnamed namespaces.
#pragma once

#include <cstdint>

#include "attention/kernels/params.h"

namespace longbow::cpu {

struct Kernels {
    const char* name;
    // Bytes of scratch a thread, for a call with these dimensions. `which`: 0 all gradients, 1 of queries, 2 of keys.
    std::int64_t (*forward_scratch)(const longbow_attention&);
    std::int64_t (*backward_scratch)(const longbow_attention&, int which);
    std::int64_t (*bias_gradient_size)(const longbow_attention&);  // floats a head

    // Query blocks [begin, end) in the order of [batch, heads, blocks].
    void (*forward)(const longbow_attention&, std::int64_t begin, std::int64_t end, void* scratch);
    // Blocks [begin, end) in the order of [batch, heads, blocks] of queries or of keys; of [batch, heads] for all gradients.
    void (*backward)(const longbow_attention&, int which, std::int64_t begin, std::int64_t end, float* bias_gradient, void* scratch);
    // Multiplies tiles that stay in the first cache, as fast as this arithmetic goes; returns the floating point operations done.
    double (*spin)(std::int32_t dtype, std::int64_t repeats);
    // dslopes and dtable out of the partial sums of all heads.
    void (*finish_bias_gradient)(const longbow_attention&, float* bias_gradient, double* table_scratch);
};

const Kernels& portable_kernels();
#if defined(__x86_64__)
const Kernels& avx2_kernels();
const Kernels& avx512_kernels();
const Kernels& avx512_bf16_kernels();
#endif

}  // namespace longbow::cpu
