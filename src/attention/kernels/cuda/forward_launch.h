// Decides which forward kernel serves a call and what workspace it needs. forward_<type>.cu instantiate the kernels for
// one input type each.
#pragma once

#include "combine.h"
#include "forward.h"

namespace longbow::cuda {

constexpr int kDecodeQueries = 16;   // up to this many queries, blocks have one warp and share the keys
constexpr int kSplitKeys = 256;      // fewest keys that are worth a block
constexpr int kDecodeBlocks = 1024;  // enough to fill any GPU; a constant, so that results do not depend on the GPU

// The number of parts into which the keys are split. It depends on the shape alone.
inline int split_count(const longbow_attention& call) {
    if (call.query_length > kDecodeQueries) return 1;
    const std::int64_t heads = static_cast<std::int64_t>(call.batch) * call.heads;
    const std::int64_t useful = (call.key_length + kSplitKeys - 1) / kSplitKeys;
    const std::int64_t wanted = heads > 0 ? (kDecodeBlocks + heads - 1) / heads : 1;
    const std::int64_t splits = useful < wanted ? useful : wanted;
    return splits > 1 ? static_cast<int>(splits) : 1;
}

// Bytes of the parts of the results, which lie behind the arrays of places.
inline std::int64_t partial_bytes(const longbow_attention& call) {
    const int splits = split_count(call);
    if (splits == 1) return 0;
    const std::int64_t rows = static_cast<std::int64_t>(call.batch) * call.heads * splits * call.query_length;
    return rows * (call.head_dim + 1) * std::int64_t{sizeof(float)};
}

inline std::int64_t forward_workspace(const longbow_attention& call) {
    return PlaceWorkspace(call, nullptr).bytes + partial_bytes(call);
}

template <class T, int kDim, int kWarps, bool kPlaces = false>
longbow_status start_forward(const longbow_attention& call) {
    using Kernel = ForwardKernel<T, kDim, kWarps, kPlaces>;
    const PlaceWorkspace places(call, call.workspace);
    const int splits = split_count(call);
    const std::int64_t rows = static_cast<std::int64_t>(call.batch) * call.heads * splits * call.query_length;
    auto* const partial =
        splits > 1 ? reinterpret_cast<float*>(static_cast<char*>(call.workspace) + places.bytes) : nullptr;
    auto* const partial_lse = splits > 1 ? partial + rows * call.head_dim : nullptr;
    const int blocks = (call.query_length + Kernel::Shape::kRows - 1) / Kernel::Shape::kRows;
    Kernel kernel{call, splits, partial, partial_lse, {}};
    longbow_status status = LONGBOW_OK;
    if constexpr (kPlaces) {
        kernel.places = places.arrays;
        status = start_place_terms(call, places.arrays);
        if (status != LONGBOW_OK) return status;
    }
    status = launch(kernel, {blocks * splits, call.heads, call.batch}, call.stream);
    if (status != LONGBOW_OK || splits == 1) return status;
    return launch(CombineKernel<T>{call, splits, partial, partial_lse}, CombineKernel<T>::grid(call), call.stream);
}

template <class T>
longbow_status forward(const longbow_attention& call) {
    constexpr bool kHalf = sizeof(T) == 2;
    if (has_places(call)) {  // fewer sizes: each of these kernels serves every sum of parts
        if (call.head_dim <= 64) return start_forward<T, 64, 4, true>(call);
        if (call.head_dim <= 128) return start_forward<T, 128, 4, true>(call);
        return start_forward<T, 256, 4, true>(call);
    }
    if (call.query_length <= kDecodeQueries) {
        if (call.head_dim <= 64) return start_forward<T, 64, 1>(call);
        if (call.head_dim <= 128) return start_forward<T, 128, 1>(call);
        return start_forward<T, 256, 1>(call);
    }
    if (call.head_dim <= 64) return start_forward<T, 64, 4>(call);
    if constexpr (kHalf) {
        if (call.head_dim <= 96) return start_forward<T, 96, 4>(call);
    }
    if (call.head_dim <= 128) return start_forward<T, 128, 4>(call);
    return start_forward<T, 256, 4>(call);
}

extern template longbow_status forward<float>(const longbow_attention&);
extern template longbow_status forward<Bf16>(const longbow_attention&);
extern template longbow_status forward<F16>(const longbow_attention&);

}  // namespace longbow::cuda
