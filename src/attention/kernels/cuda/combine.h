// Combines the parts of a split forward pass. Each part's rows are weighted by their share of the softmax denominator,
// exp(lse of the part - lse of all). One warp computes one row and takes the parts always in the same order.
#pragma once

#include "launch.h"
#include "scores.h"

namespace longbow::cuda {

template <class T>
struct CombineKernel {
    static constexpr int kThreads = 128;
    static constexpr int kBlocks = 0;
    static constexpr int kSharedBytes = 0;

    longbow_attention call;
    int splits;
    const float* partial;
    const float* partial_lse;

    static Grid grid(const longbow_attention& call) {
        return {(call.query_length + kThreads / 32 - 1) / (kThreads / 32), call.heads, call.batch};
    }

    LONGBOW_DEVICE void operator()() const {
        const Lane lane;
        const int row = device::block_x() * (kThreads / 32) + lane.warp;
        const int head = device::block_y();
        const int batch = device::block_z();
        if (row >= call.query_length) return;
        const std::int64_t head_index = static_cast<std::int64_t>(batch) * call.heads + head;
        const std::int64_t first = head_index * splits * call.query_length + row;

        float highest = -infinity();
        for (int s = 0; s < splits; ++s) highest = fmaxf(highest, partial_lse[first + s * call.query_length]);
        const float base = highest == -infinity() ? 0.0f : highest;
        float sum = 0.0f;
        for (int s = 0; s < splits; ++s)
            sum += device::exp2_fast((partial_lse[first + s * call.query_length] - base) * kLog2E);

        const Matrix<T> out(call.out, batch, head);
        for (int column = 2 * lane.lane; column < call.head_dim; column += 64) {
            float low = 0.0f, high = 0.0f;
            for (int s = 0; s < splits; ++s) {
                const std::int64_t at = first + s * call.query_length;
                const float weight = device::exp2_fast((partial_lse[at] - base) * kLog2E);
                const float* const from = partial + at * call.head_dim + column;
                low += weight * from[0];
                high += weight * from[1];
            }
            const float factor = sum != 0.0f ? 1.0f / sum : 0.0f;  // a NaN is not zero, and is shown
            store2(out.at(row, column), low * factor, high * factor);
        }
        if (lane.lane == 0)
            call.lse[head_index * call.query_length + row] = sum != 0.0f ? base + logf(sum) : -infinity();
    }
};

}  // namespace longbow::cuda
