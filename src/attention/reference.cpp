// Computes attention in its textbook form: scores, bias, softmax, dropout, values. It serves any bias and any precision
// (half precision is computed in fp32) and takes O(Lq * Lk) memory. It is the oracle that every other back-end is
// tested against.
#include <ATen/autocast_mode.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/dropout.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>

#include <cmath>

#include "backends.h"

namespace longbow {

namespace {

class ReferenceAttention final : public AttentionBackend {
public:
    at::Tensor forward(const AttentionInput& in) override {
        const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
        const auto wide = in.q.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
        const auto q = in.q.to(wide).mul(1.0 / std::sqrt(static_cast<double>(in.q.size(3))));
        const auto bias = dense_bias(in.bias, in.q.size(2), in.k.size(2), q.options().requires_grad(false));
        const auto scores = at::matmul(q, in.k.to(wide).transpose(2, 3)).add(bias);
        const auto weights = at::dropout(scores.softmax(-1), in.dropout, in.dropout > 0.0);
        return at::matmul(weights, in.v.to(wide)).to(in.q.scalar_type());
    }

    [[nodiscard]] AttentionMemory memory(const AttentionRequest& request, const AttentionPass& pass) const override {
        auto memory = step_by_step_memory(request, pass);
        memory.evaluation = 2 * AttentionSizes(request, pass).scores * wide_bytes(pass);
        return memory;
    }
};

}  // namespace

AttentionMemory step_by_step_memory(const AttentionRequest& request, const AttentionPass& pass) {
    const AttentionSizes sizes(request, pass);
    const double wide = wide_bytes(pass);
    AttentionMemory memory;
    memory.copies = sizes.qkv * wide;
    memory.kept = sizes.scores * (request.dropout > 0 ? 2 * wide + (on_gpu(request) ? 1 : wide) : wide);
    memory.backward = sizes.qkv * wide + 2 * sizes.scores * wide;
    return memory;
}

LONGBOW_REGISTER_ATTENTION(
    {.name = "reference",
     .help = "The formula step by step, with all scores in memory; serves everything. The oracle of the tests",
     .make = [](const AttentionRequest&) { return std::make_unique<ReferenceAttention>(); }});

}  // namespace longbow
