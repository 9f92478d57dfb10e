// Starts the kernels that make the skip table.
#include "skip_table.h"

#include "../attention.h"

namespace longbow::cuda {
namespace {

int blocks_of(int length) { return (length + kSkipBlock - 1) / kSkipBlock; }

template <class T>
longbow_status make(const longbow_attention& call, float threshold, std::int32_t* first) {
    auto* const longest = static_cast<float*>(call.workspace);
    const int key_blocks = blocks_of(call.key_length);
    longbow_status status =
        launch(LongestKeysKernel<T>{call, longest}, {key_blocks, call.heads, call.batch}, call.stream);
    if (status == LONGBOW_OK && key_blocks > 0) {
        status = launch(RunningLongestKernel{longest, key_blocks}, {call.batch * call.heads, 1, 1}, call.stream);
    }
    if (status != LONGBOW_OK) return status;
    const FirstBlocksKernel<T> kernel{call, longest, key_blocks, threshold, first};
    return launch(kernel, {blocks_of(call.query_length), call.heads, call.batch}, call.stream);
}

}  // namespace
}  // namespace longbow::cuda

std::int64_t longbow_attention_cuda_skip_table_workspace(const longbow_attention* call) {
    return std::int64_t{sizeof(float)} * call->batch * call->heads * longbow::cuda::blocks_of(call->key_length);
}

longbow_status longbow_attention_cuda_skip_table(const longbow_attention* given, float threshold, std::int32_t* first,
                                                 float* longest) {
    using namespace longbow::cuda;
    if (longest != nullptr) return LONGBOW_UNSUPPORTED;
    const auto call = with_kv_group(*given);
    switch (call.dtype) {
        case LONGBOW_F32: return make<float>(call, threshold, first);
        case LONGBOW_BF16: return make<Bf16>(call, threshold, first);
        case LONGBOW_F16: return make<F16>(call, threshold, first);
        default: return LONGBOW_UNSUPPORTED;
    }
}
