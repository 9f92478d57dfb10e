// Starts the kernels that make the skip table.
#include "skip_table.h"

#include "../attention.h"

namespace longbow::cuda {
namespace {

int blocks_of(int length) { return (length + kSkipBlock - 1) / kSkipBlock; }

// The numbers of floats and of doubles in the workspace, where tails lie before the lengths of keys: of columns for
// each block of keys, or else of slopes.
std::int64_t key_block_count(const longbow_attention& call) {
    return std::int64_t{call.batch} * call.heads * blocks_of(call.key_length);
}
std::int64_t tail_count(const longbow_attention& call) {
    return call.places.column != nullptr ? key_block_count(call) : std::int64_t{call.batch} * call.heads;
}

longbow_status start_tails(const longbow_attention& call, double* tails) {
    const int blocks = blocks_of(call.key_length), heads = call.batch * call.heads;
    const longbow_status status =
        launch(ColumnBlocksKernel{call, tails}, {blocks, call.heads, call.batch}, call.stream);
    if (status != LONGBOW_OK) return status;
    const int grid = (heads + ColumnTailsKernel::kThreads - 1) / ColumnTailsKernel::kThreads;
    return launch(ColumnTailsKernel{tails, heads, blocks}, {blocks > 0 ? grid : 0, 1, 1}, call.stream);
}

template <class T>
longbow_status make(const longbow_attention& call, float threshold, std::int32_t* first) {
    auto* const tails = static_cast<double*>(call.workspace);
    auto* const longest = reinterpret_cast<float*>(tails + tail_count(call));
    const int key_blocks = blocks_of(call.key_length);
    longbow_status status =
        launch(LongestKeysKernel<T>{call, longest}, {key_blocks, call.heads, call.batch}, call.stream);
    if (status == LONGBOW_OK && key_blocks > 0) {
        status = launch(RunningLongestKernel{call, longest, key_blocks, tails}, {call.batch * call.heads, 1, 1},
                        call.stream);
    }
    if (status != LONGBOW_OK) return status;
    const Grid grid{blocks_of(call.query_length), call.heads, call.batch};
    if (call.places.column == nullptr) {
        const FirstBlocksKernel<T, false> kernel{call, longest, tails, key_blocks, threshold, first};
        return launch(kernel, grid, call.stream);
    }
    status = start_tails(call, tails);
    if (status != LONGBOW_OK) return status;
    const FirstBlocksKernel<T, true> kernel{call, longest, tails, key_blocks, threshold, first};
    return launch(kernel, grid, call.stream);
}

}  // namespace
}  // namespace longbow::cuda

std::int64_t longbow_attention_cuda_skip_table_workspace(const longbow_attention* call) {
    using namespace longbow::cuda;
    return std::int64_t{sizeof(float)} * key_block_count(*call) + std::int64_t{sizeof(double)} * tail_count(*call);
}

longbow_status longbow_attention_cuda_skip_table(const longbow_attention* given, float threshold, std::int32_t* first,
                                                 float* longest) {
    using namespace longbow::cuda;
    // The tails of a table are summed on a CPU only.
    if (longest != nullptr || given->table != nullptr) return LONGBOW_UNSUPPORTED;
    const auto call = with_kv_group(*given);
    switch (call.dtype) {
        case LONGBOW_F32: return make<float>(call, threshold, first);
        case LONGBOW_BF16: return make<Bf16>(call, threshold, first);
        case LONGBOW_F16: return make<F16>(call, threshold, first);
        default: return LONGBOW_UNSUPPORTED;
    }
}
