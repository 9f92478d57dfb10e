// Makes the functions of kernels.h from the kernels' templates, for each type of tensor. Each instruction set's file
// includes this once.
#pragma once

#include "backward.h"
#include "forward.h"
#include "kernels.h"

namespace longbow::cpu {
namespace {

template <class Body>
void for_type(std::int32_t dtype, const Body& body) {
    switch (dtype) {
        case LONGBOW_BF16: body(Bf16{}); break;
        case LONGBOW_F16: body(F16{}); break;
        default: body(float{}); break;
    }
}

inline std::int64_t forward_scratch(const longbow_attention& a) {
    Scratch counter(nullptr);
    for_type(a.dtype, [&](auto type) { Forward<decltype(type)>(a, counter); });
    return counter.used();
}

inline std::int64_t backward_scratch(const longbow_attention& a, int which) {
    Scratch counter(nullptr);
    for_type(a.dtype, [&](auto type) {
        Backward<decltype(type)>(a, static_cast<Gradients>(which), BiasGradient(a, nullptr), counter);
    });
    return counter.used();
}

inline std::int64_t bias_gradient_size(const longbow_attention& a) { return BiasGradient(a, nullptr).size(); }

inline void forward(const longbow_attention& a, std::int64_t begin, std::int64_t end, void* memory) {
    for_type(a.dtype, [&](auto type) {
        Scratch scratch(memory);
        Forward<decltype(type)>(a, scratch).run(begin, end);
    });
}

inline void backward(const longbow_attention& a, int which, std::int64_t begin, std::int64_t end, float* partial,
                     void* memory) {
    const BiasGradient bias_gradient(a, partial);
    const auto gradients = static_cast<Gradients>(which);
    const int blocks =
        gradients == Gradients::all ? 1 : blocks_of(gradients == Gradients::keys ? a.key_length : a.query_length);
    for_type(a.dtype, [&](auto type) {
        Scratch scratch(memory);
        Backward<decltype(type)> work(a, gradients, bias_gradient, scratch);
        while (begin < end) {
            const auto head = static_cast<int>(begin / blocks);
            const auto first = static_cast<int>(begin % blocks);
            const int last = static_cast<int>(end - begin < blocks - first ? first + (end - begin) : blocks);
            if (gradients == Gradients::all) {
                work.run(head, 0, blocks_of(a.key_length), head + 1 < end);
            } else {
                work.run(head, first, last);
            }
            begin += last - first;
        }
    });
}

inline void finish_bias_gradient(const longbow_attention& a, float* partial, double* table) {
    const BiasGradient gradient(a, partial);
    if (a.dslopes != nullptr) {
        for (int i = 0; i < a.batch * a.heads; ++i) {
            a.dslopes[i] = static_cast<float>(gradient.slope_gradient(i));
        }
    }
    if (a.dtable != nullptr) {
        for (int head = 0; head < a.heads; ++head) {
            __builtin_memset(table, 0, sizeof(double) * static_cast<std::size_t>(a.table_length));
            for (int batch = 0; batch < a.batch; ++batch) {
                gradient.add_table_gradient(batch * a.heads + head, table);
            }
            for (int k = 0; k < a.table_length; ++k) {
                a.dtable[static_cast<std::int64_t>(head) * a.table_length + k] = static_cast<float>(table[k]);
            }
        }
    }
}

inline double multiply_at_peak(std::int32_t dtype, std::int64_t repeats) {
    constexpr int kColumns = Simd::kColumns * Simd::kWidth;
    float left[kRowGroup * kTile] = {};
    float right[kTile * kColumns] = {};
    float sums[kRowGroup * kColumns] = {};
    double operations = 0.0;
    for_type(dtype, [&](auto type) {
        using Arithmetic = typename ArithmeticOf<decltype(type)>::Type;
        for (std::int64_t i = 0; i < repeats; ++i) {
            // Without this the compiler could drop all repetitions but the last.
            asm volatile("" : : "r"(left), "r"(right), "r"(sums) : "memory");
            product<Arithmetic, true>(kRowGroup, {left, kTile, 1}, right, kColumns, sums, kColumns, [](int, int) {
                return Extent{Simd::kColumns, 0, kTile};
            });
        }
        asm volatile("" : : "r"(sums) : "memory");
        operations = 2.0 * Arithmetic::kPack * kRowGroup * kColumns * kTile * static_cast<double>(repeats);
    });
    return operations;
}

constexpr Kernels kernels_named(const char* name) {
    return {name,     &forward_scratch, &backward_scratch, &bias_gradient_size,
            &forward, &backward,        &multiply_at_peak, &finish_bias_gradient};
}

}  // namespace
}  // namespace longbow::cpu
