// Computes what the backward pass needs of each row of queries beforehand: its log-sum-exp in base 2, and delta = dO .
// O, which is also the sum of P dP over the row's keys. Rows are padded to whole tiles; a row that saw no key has lse =
// +inf, which makes its probabilities 0.
#pragma once

#include "launch.h"
#include "scores.h"

namespace longbow::cuda {

constexpr int kRowPadding = 64;

LONGBOW_DEVICE std::int64_t padded_rows_on_device(const longbow_attention& call) {
    return static_cast<std::int64_t>((call.query_length + kRowPadding - 1) / kRowPadding) * kRowPadding;
}
inline std::int64_t padded_rows(const longbow_attention& call) {
    return static_cast<std::int64_t>((call.query_length + kRowPadding - 1) / kRowPadding) * kRowPadding;
}

template <class T>
struct RowTermsKernel {
    static constexpr int kThreads = 128;
    static constexpr int kBlocks = 0;
    static constexpr int kSharedBytes = 0;

    longbow_attention call;
    float* lse;    // [batch, heads, padded rows]
    float* delta;  // [batch, heads, padded rows]

    static Grid grid(const longbow_attention& call) {
        return {static_cast<int>(padded_rows(call) / (kThreads / 32)), call.heads, call.batch};
    }

    // One warp computes one row.
    LONGBOW_DEVICE void operator()() const {
        const Lane lane;
        const int row = device::block_x() * (kThreads / 32) + lane.warp;
        const int head = device::block_y();
        const int batch = device::block_z();
        const Scores scores(call, batch, head);
        const std::int64_t head_index = static_cast<std::int64_t>(batch) * call.heads + head;
        const bool counts = row < scores.queries;
        float sum = 0.0f;
        if (counts) {
            const Matrix<T> out(call.out, batch, head), dout(call.dout, batch, head);
            for (int column = 2 * lane.lane; column < call.head_dim; column += 64) {
                float a[2], b[2];
                load2(a[0], a[1], out.at(row, column));
                load2(b[0], b[1], dout.at(row, column));
                sum += a[0] * b[0] + a[1] * b[1];
            }
        }
        LONGBOW_UNROLL
        for (int mask = 16; mask > 0; mask /= 2) sum += device::shuffle_xor(sum, mask);
        if (lane.lane == 0) {
            const float natural = counts ? call.lse[head_index * call.query_length + row] : -infinity();
            const std::int64_t at = head_index * padded_rows_on_device(call) + row;
            lse[at] = natural == -infinity() ? infinity() : natural * kLog2E;
            delta[at] = sum;
        }
    }
};

}  // namespace longbow::cuda
