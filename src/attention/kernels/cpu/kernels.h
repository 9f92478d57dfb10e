// Declares the functions that each instruction set offers, as a table of pointers. A file for each set (portable.cpp,
// avx2.cpp, ..) compiles the same source, and one is chosen at run time. All code behind the pointers lies in unnamed
// namespaces (see geometry.h).
#pragma once

#include <cstdint>

#include "attention/kernels/params.h"

namespace longbow::cpu {

struct Kernels {
    const char* name;
    // Bytes of scratch that one thread needs for this call. `which`: 0 all gradients, 1 those of queries, 2 those of
    // keys and values.
    std::int64_t (*forward_scratch)(const longbow_attention&);
    std::int64_t (*backward_scratch)(const longbow_attention&, int which);
    std::int64_t (*bias_gradient_size)(const longbow_attention&);  // floats per head

    // Computes query blocks [begin, end), counted over [batch, heads, blocks].
    void (*forward)(const longbow_attention&, std::int64_t begin, std::int64_t end, void* scratch);
    // Computes units [begin, end): blocks of queries counted over [batch, heads, blocks], blocks of keys counted over
    // [batch, kv_heads, blocks], or whole heads of [batch, kv_heads] for all gradients.
    void (*backward)(const longbow_attention&, int which, std::int64_t begin, std::int64_t end, float* bias_gradient,
                     void* scratch);
    // Multiplies tiles that stay in the first-level cache, at the full speed of the arithmetic. Returns the floating
    // point operations done.
    double (*multiply_at_peak)(std::int32_t dtype, std::int64_t repeats);
    // Makes dslopes and dtable from the partial sums of all heads.
    void (*finish_bias_gradient)(const longbow_attention&, float* bias_gradient, double* table_scratch);
};

const Kernels& portable_kernels();
#if defined(__x86_64__)
const Kernels& avx2_kernels();
const Kernels& avx512_kernels();
const Kernels& avx512_bf16_kernels();
#endif

}  // namespace longbow::cpu
