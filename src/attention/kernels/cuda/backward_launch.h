// Decides which backward kernels serve a call, in which order they run, and what workspace they need.
// backward_<type>.cu instantiate them for one input type each.
#pragma once

#include "backward.h"
#include "bias_gradient.h"
#include "position_gradient.h"

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

// Whether the bands of TableGradientKernel serve the gradient of this call's table.
inline bool table_by_bands(const longbow_attention& call) {
    return call.places.positions == nullptr && (call.head_dim <= 128 || !has_places(call));
}

// Sizes of the arrays of floats that lie in the workspace one after the other.
template <class T>
struct BackwardWorkspace {
    // Counts of floats. There are two arrays of row_terms floats, lse and delta. Before them lie the arrays of places.
    std::int64_t row_terms, slope_parts, table_parts;
    std::int64_t place_bytes;

    explicit BackwardWorkspace(const longbow_attention& call)
        : row_terms(static_cast<std::int64_t>(call.batch) * call.heads * padded_rows(call)),
          slope_parts(call.dslopes != nullptr ? static_cast<std::int64_t>(call.batch) * call.heads * query_blocks(call)
                                              : 0),
          table_parts(call.dtable != nullptr ? table_parts_of(call) : 0),
          place_bytes(PlaceWorkspace(call, nullptr).bytes) {}
    static std::int64_t table_parts_of(const longbow_attention& call) {
        if (table_by_bands(call)) return Bands(call, table_tile<T>(call.head_dim)).parts(call);
        const int chunks = position_chunks(call, PositionGradientKernel<T>::Shape::kTile);
        return static_cast<std::int64_t>(call.batch) * call.heads * chunks * call.table_length;
    }
    static int query_blocks(const longbow_attention& call) {
        const int rows = query_rows<T>(call.head_dim);
        return (call.query_length + rows - 1) / rows;
    }
    [[nodiscard]] std::int64_t bytes() const {
        return place_bytes + (2 * row_terms + slope_parts + table_parts) * std::int64_t{sizeof(float)};
    }
};

// What the backward kernels read and write in the workspace.
struct BackwardArrays {
    PlaceArrays places;
    float *lse, *delta, *slope_parts, *table_parts;
};

template <class Kernel>
longbow_status start_with_places(Kernel kernel, const PlaceArrays& places, Grid grid) {
    if constexpr (!std::is_same_v<decltype(kernel.places), NoPlaces>) kernel.places = places;
    return launch(kernel, grid, kernel.call.stream);
}

template <class T, int kDim, bool kPlaces = false>
longbow_status start_backward(const longbow_attention& call, const BackwardArrays& at) {
    const longbow_places& wanted = call.places;
    if (call.dk.data != nullptr || call.dv.data != nullptr || wanted.dcolumn != nullptr ||
        wanted.dkey_slopes != nullptr) {
        using Keys = BackwardKernel<T, kDim, true, kPlaces>;
        const longbow_status status =
            start_with_places(Keys{call, at.lse, at.delta, nullptr, {}}, at.places, Keys::grid(call));
        if (status != LONGBOW_OK) return status;
    }
    if (call.dq.data == nullptr && at.slope_parts == nullptr && wanted.drow == nullptr &&
        wanted.dquery_slopes == nullptr)
        return LONGBOW_OK;
    using Queries = BackwardKernel<T, kDim, false, kPlaces>;
    return start_with_places(Queries{call, at.lse, at.delta, at.slope_parts, {}}, at.places, Queries::grid(call));
}

template <class T, int kDim, bool kPlaces = false>
longbow_status start_table_gradient(const longbow_attention& call, const BackwardArrays& at) {
    using Kernel = TableGradientKernel<T, kDim, kPlaces>;
    const Bands bands(call, Kernel::Shape::kTile);
    const longbow_status status = start_with_places(Kernel{call, bands, at.lse, at.delta, at.table_parts, {}},
                                                    at.places, Kernel::grid(call, bands));
    if (status != LONGBOW_OK) return status;
    return launch(TableSumKernel{call, bands, at.lse, at.delta, at.table_parts}, {call.heads, 1, 1}, call.stream);
}

template <class T>
longbow_status start_position_gradient(const longbow_attention& call, const BackwardArrays& at) {
    using Kernel = PositionGradientKernel<T>;
    const longbow_status status =
        launch(Kernel{call, at.lse, at.delta, at.table_parts, at.places}, Kernel::grid(call), call.stream);
    if (status != LONGBOW_OK) return status;
    const PositionSumKernel sum{call, position_chunks(call, Kernel::Shape::kTile), at.table_parts};
    return launch(sum, PositionSumKernel::grid(call), call.stream);
}

template <class T>
longbow_status start_backward_of_size(const longbow_attention& call, const BackwardArrays& at) {
    if (has_places(call)) {
        if (call.head_dim <= 64) return start_backward<T, 64, true>(call, at);
        if (call.head_dim <= 128) return start_backward<T, 128, true>(call, at);
        return start_backward<T, 256, true>(call, at);
    }
    if (call.head_dim <= 64) return start_backward<T, 64>(call, at);
    if constexpr (sizeof(T) == 2) {
        if (call.head_dim <= 96) return start_backward<T, 96>(call, at);
    }
    if (call.head_dim <= 128) return start_backward<T, 128>(call, at);
    return start_backward<T, 256>(call, at);
}

template <class T>
longbow_status start_table_gradient_of_size(const longbow_attention& call, const BackwardArrays& at) {
    if (!table_by_bands(call)) return start_position_gradient<T>(call, at);
    if (has_places(call)) return start_table_gradient<T, 128, true>(call, at);
    return call.head_dim <= 128 ? start_table_gradient<T, 128>(call, at) : start_table_gradient<T, 256>(call, at);
}

template <class T>
longbow_status backward(const longbow_attention& call) {
    const BackwardWorkspace<T> sizes(call);
    BackwardArrays at{};
    at.places = PlaceWorkspace(call, call.workspace).arrays;
    at.lse = reinterpret_cast<float*>(static_cast<char*>(call.workspace) + sizes.place_bytes);
    at.delta = at.lse + sizes.row_terms;
    at.slope_parts = call.dslopes != nullptr ? at.delta + sizes.row_terms : nullptr;
    at.table_parts = at.delta + sizes.row_terms + sizes.slope_parts;
    longbow_status status =
        launch(RowTermsKernel<T>{call, at.lse, at.delta}, RowTermsKernel<T>::grid(call), call.stream);
    if (status == LONGBOW_OK && has_places(call)) status = start_place_terms(call, at.places);
    if (status == LONGBOW_OK) status = start_backward_of_size<T>(call, at);
    if (status == LONGBOW_OK && at.slope_parts != nullptr) {
        const SlopeSumKernel sum{at.slope_parts, BackwardWorkspace<T>::query_blocks(call), call.dslopes};
        status = launch(sum, {call.batch * call.heads, 1, 1}, call.stream);
    }
    if (status != LONGBOW_OK || call.dtable == nullptr) return status;
    return start_table_gradient_of_size<T>(call, at);
}

template <class T>
std::int64_t backward_workspace(const longbow_attention& call) {
    return BackwardWorkspace<T>(call).bytes();
}

extern template longbow_status backward<float>(const longbow_attention&);
extern template longbow_status backward<Bf16>(const longbow_attention&);
extern template longbow_status backward<F16>(const longbow_attention&);

}  // namespace longbow::cuda
