// Computes attention in its textbook form: scores, bias, softmax, dropout, values. It serves any bias and any precision
// (half precision is computed in fp32) and takes O(Lq * Lk) memory. It is the oracle that every other back-end is
// tested against.
#include <ATen/autocast_mode.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/dropout.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/where.h>

#include <cmath>

#include "backends.h"

namespace longbow {

namespace {

class ReferenceAttention final : public AttentionBackend {
public:
    at::Tensor forward(const AttentionInput& in) override {
        const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
        const auto wide = in.q.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
        const auto options = at::TensorOptions().dtype(wide).device(in.q.device());
        const auto bias = dense_bias(in.bias, in.q.size(2), in.k.size(2), options);
        const auto weights = probabilities(scores_of(in, wide).add(bias), in.bias.sink_logit);
        return for_each_group(at::dropout(weights, in.dropout, in.dropout > 0.0), in.v.to(wide)).to(in.v.scalar_type());
    }

    [[nodiscard]] AttentionMemory memory(const AttentionRequest& request, const AttentionPass& pass) const override {
        auto memory = step_by_step_memory(request, pass);
        memory.evaluation = 2 * AttentionSizes(request, pass).scores * wide_bytes(pass);
        return memory;
    }

private:
    // Returns q.k times the scale, without the bias.
    static at::Tensor scores_of(const AttentionInput& in, at::ScalarType wide) {
        const double scale = in.scale.value_or(1.0 / std::sqrt(static_cast<double>(in.q.size(3))));
        const auto products = [&](const at::Tensor& q, const at::Tensor& k) {
            const auto scaled = q.to(wide).mul(scale);
            if (!in.bias.channel.defined()) return for_each_group(scaled, k.to(wide).transpose(2, 3));
            return channel_scores(scaled, for_each_query_head(k.to(wide), q.size(1)), in.bias.channel);
        };
        const auto near = products(in.q, in.k);
        if (!in.far_q.defined()) return near;
        return at::where(far_keys(in), products(in.far_q, in.far_k), near);
    }

    // Returns the softmax of each row, of which a sink logit [heads] takes a part.
    static at::Tensor probabilities(const at::Tensor& scores, const at::Tensor& sink_logit) {
        if (!sink_logit.defined()) return scores.softmax(-1);
        const auto sink = sink_logit.to(scores.scalar_type()).view({1, -1, 1, 1});
        const auto column = sink.expand({scores.size(0), -1, scores.size(2), 1});
        return at::cat({scores, column}, -1).softmax(-1).narrow(-1, 0, scores.size(3));
    }

    // Returns a [batch, heads, n, m] times b [batch, kv_heads, m, p]. The heads that share one of b are the rows of one
    // product.
    static at::Tensor for_each_group(const at::Tensor& a, const at::Tensor& b) {
        if (a.size(1) == b.size(1)) return at::matmul(a, b);
        const auto grouped = a.reshape({a.size(0), b.size(1), a.size(1) / b.size(1) * a.size(2), a.size(3)});
        return at::matmul(grouped, b).view({a.size(0), a.size(1), a.size(2), b.size(3)});
    }
};

}  // namespace

at::Tensor for_each_query_head(const at::Tensor& t, std::int64_t heads) {
    if (t.size(1) == heads) return t;
    const auto group = heads / t.size(1);
    return t.unsqueeze(2).expand({-1, -1, group, -1, -1}).reshape({t.size(0), heads, t.size(2), t.size(3)});
}

std::string refuses_attend(const AttentionRequest& request) {
    return request.attends ? "the position method computes attention itself, which only reference runs" : "";
}

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
