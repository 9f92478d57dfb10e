// The C boundary: what a call must fulfil, and the kernels of its input type.
#include "../attention.h"

#include "backward_launch.h"
#include "forward_launch.h"

namespace longbow::cuda {
namespace {

bool aligned(const longbow_tensor4& tensor, std::int64_t element) {
    const auto whole = [&](std::int64_t stride) { return stride * element % 16 == 0; };
    return reinterpret_cast<std::uintptr_t>(tensor.data) % 16 == 0 && whole(tensor.batch) && whole(tensor.head) &&
           whole(tensor.row);
}

bool supported(const longbow_attention& call) {
    const std::int64_t element = call.dtype == LONGBOW_F32 ? 4 : 2;
    return call.head_dim >= 8 && call.head_dim <= 256 && call.head_dim % 8 == 0 && call.batch <= 65535 &&
           call.heads <= 65535 && (call.kv_heads == 0 || call.heads % call.kv_heads == 0) && aligned(call.q, element) &&
           aligned(call.k, element) && aligned(call.v, element) && aligned(call.out, element);
}

// The seed is an argument of the kernels, and a CUDA graph keeps the arguments that it was captured with: each replay
// would draw the same mask.
bool repeats_dropout(const longbow_attention& call) {
    return call.dropout_keep < 256 && device::capturing(call.stream);
}

using Pass = longbow_status (*)(const longbow_attention&);

longbow_status by_type(const longbow_attention& given, Pass f32, Pass bf16, Pass f16) {
    const auto call = with_kv_group(given);
    switch (call.dtype) {
        case LONGBOW_F32: return f32(call);
        case LONGBOW_BF16: return bf16(call);
        case LONGBOW_F16: return f16(call);
        default: return LONGBOW_UNSUPPORTED;
    }
}

}  // namespace
}  // namespace longbow::cuda

using namespace longbow::cuda;

const longbow_failure* longbow_attention_cuda_failure() { return &last_failure(); }

std::int64_t longbow_attention_cuda_forward_workspace(const longbow_attention* call) {
    return forward_workspace(*call);
}

longbow_status longbow_attention_cuda_forward(const longbow_attention* call) {
    if (!supported(*call)) return LONGBOW_UNSUPPORTED;
    if (repeats_dropout(*call)) return LONGBOW_CAPTURED;
    return by_type(*call, forward<float>, forward<Bf16>, forward<F16>);
}

std::int64_t longbow_attention_cuda_backward_workspace(const longbow_attention* call) {
    return call->dtype == LONGBOW_F32 ? backward_workspace<float>(*call) : backward_workspace<Bf16>(*call);
}

longbow_status longbow_attention_cuda_backward(const longbow_attention* call) {
    if (!supported(*call) || !aligned(call->dout, call->dtype == LONGBOW_F32 ? 4 : 2)) return LONGBOW_UNSUPPORTED;
    if (repeats_dropout(*call)) return LONGBOW_CAPTURED;
    return by_type(*call, backward<float>, backward<Bf16>, backward<F16>);
}
