// Decides which backward kernels serve a call, in which order they run, and what workspace they need.
// backward_<type>.cu instantiate them for one input type each.
#pragma once

#include "backward.h"
#include "bias_gradient.h"

namespace longbow::cuda {

template <class T>
constexpr int table_tile(int head_dim) {
    return head_dim <= 128 ? TableGradientShape<T, 128>::kTile : TableGradientShape<T, 256>::kTile;
}

// Rows of a block of the kernel for queries; it says how many parts the slopes' gradient has.
template <class T>
constexpr int query_rows(int head_dim) {
    return head_dim <= 128 ? BackwardShape<T, 128, false>::kRows : BackwardShape<T, 256, false>::kRows;
}

// Sizes of the arrays of floats that lie in the workspace one after the other.
template <class T>
struct BackwardWorkspace {
    // Counts of floats. There are two arrays of row_terms floats, lse and delta.
    std::int64_t row_terms, slope_parts, table_parts;

    explicit BackwardWorkspace(const longbow_attention& call)
        : row_terms(static_cast<std::int64_t>(call.batch) * call.heads * padded_rows(call)),
          slope_parts(call.dslopes != nullptr ? static_cast<std::int64_t>(call.batch) * call.heads * query_blocks(call)
                                              : 0),
          table_parts(call.dtable != nullptr ? Bands(call, table_tile<T>(call.head_dim)).parts(call) : 0) {}
    static int query_blocks(const longbow_attention& call) {
        const int rows = query_rows<T>(call.head_dim);
        return (call.query_length + rows - 1) / rows;
    }
    [[nodiscard]] std::int64_t bytes() const {
        return (2 * row_terms + slope_parts + table_parts) * std::int64_t{sizeof(float)};
    }
};

template <class T, int kDim>
longbow_status start_backward(const longbow_attention& call, const float* lse, const float* delta, float* slope_parts) {
    if (call.dk.data != nullptr || call.dv.data != nullptr) {
        using Keys = BackwardKernel<T, kDim, true>;
        const longbow_status status = launch(Keys{call, lse, delta, nullptr}, Keys::grid(call), call.stream);
        if (status != LONGBOW_OK) return status;
    }
    if (call.dq.data == nullptr && slope_parts == nullptr) return LONGBOW_OK;
    using Queries = BackwardKernel<T, kDim, false>;
    return launch(Queries{call, lse, delta, slope_parts}, Queries::grid(call), call.stream);
}

template <class T, int kDim>
longbow_status start_table_gradient(const longbow_attention& call, const float* lse, const float* delta, float* parts) {
    using Kernel = TableGradientKernel<T, kDim>;
    const Bands bands(call, Kernel::Shape::kTile);
    const longbow_status status =
        launch(Kernel{call, bands, lse, delta, parts}, Kernel::grid(call, bands), call.stream);
    if (status != LONGBOW_OK) return status;
    return launch(TableSumKernel{call, bands, parts}, {call.heads, 1, 1}, call.stream);
}

template <class T>
longbow_status backward(const longbow_attention& call) {
    const BackwardWorkspace<T> sizes(call);
    auto* const lse = static_cast<float*>(call.workspace);
    auto* const delta = lse + sizes.row_terms;
    auto* const slope_parts = call.dslopes != nullptr ? delta + sizes.row_terms : nullptr;
    auto* const table_parts = delta + sizes.row_terms + sizes.slope_parts;
    longbow_status status = launch(RowTermsKernel<T>{call, lse, delta}, RowTermsKernel<T>::grid(call), call.stream);
    if (status != LONGBOW_OK) return status;

    if (call.head_dim <= 64) {
        status = start_backward<T, 64>(call, lse, delta, slope_parts);
    } else if (sizeof(T) == 2 && call.head_dim <= 96) {
        if constexpr (sizeof(T) == 2) status = start_backward<T, 96>(call, lse, delta, slope_parts);
    } else if (call.head_dim <= 128) {
        status = start_backward<T, 128>(call, lse, delta, slope_parts);
    } else {
        status = start_backward<T, 256>(call, lse, delta, slope_parts);
    }
    if (status == LONGBOW_OK && slope_parts != nullptr) {
        const SlopeSumKernel sum{slope_parts, BackwardWorkspace<T>::query_blocks(call), call.dslopes};
        status = launch(sum, {call.batch * call.heads, 1, 1}, call.stream);
    }
    if (status != LONGBOW_OK || call.dtable == nullptr) return status;
    return call.head_dim <= 128 ? start_table_gradient<T, 128>(call, lse, delta, table_parts)
                                : start_table_gradient<T, 256>(call, lse, delta, table_parts);
}

template <class T>
std::int64_t backward_workspace(const longbow_attention& call) {
    return BackwardWorkspace<T>(call).bytes();
}

extern template longbow_status backward<float>(const longbow_attention&);
extern template longbow_status backward<Bf16>(const longbow_attention&);
extern template longbow_status backward<F16>(const longbow_attention&);

}  // namespace longbow::cuda
