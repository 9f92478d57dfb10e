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

inline std::int64_t forward_workspace(const longbow_attention& call) {
    const int splits = split_count(call);
    if (splits == 1) return 0;
    const std::int64_t rows = static_cast<std::int64_t>(call.batch) * call.heads * splits * call.query_length;
    return rows * (call.head_dim + 1) * std::int64_t{sizeof(float)};
}

template <class T, int kDim, int kWarps>
longbow_status start_forward(const longbow_attention& call) {
    using Kernel = ForwardKernel<T, kDim, kWarps>;
    const int splits = split_count(call);
    const std::int64_t rows = static_cast<std::int64_t>(call.batch) * call.heads * splits * call.query_length;
    auto* const partial = splits > 1 ? static_cast<float*>(call.workspace) : nullptr;
    auto* const partial_lse = splits > 1 ? partial + rows * call.head_dim : nullptr;
    const int blocks = (call.query_length + Kernel::Shape::kRows - 1) / Kernel::Shape::kRows;
    const longbow_status status =
        launch(Kernel{call, splits, partial, partial_lse}, {blocks * splits, call.heads, call.batch}, call.stream);
    if (status != LONGBOW_OK || splits == 1) return status;
    return launch(CombineKernel<T>{call, splits, partial, partial_lse}, CombineKernel<T>::grid(call), call.stream);
}

template <class T>
longbow_status forward(const longbow_attention& call) {
    constexpr bool kHalf = sizeof(T) == 2;
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
