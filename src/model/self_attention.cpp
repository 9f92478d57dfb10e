#include "self_attention.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <tuple>

#include "first_weights.h"
#include "longbow/model/linear.h"
#include "row_threads.h"
#include "split_qkv.h"

namespace longbow {

void SelfAttention::register_weights(torch::nn::Module& block, const at::TensorOptions& options) {
    const auto dim = config_.dim;
    qkv_weight_ = block.register_parameter("qkv_weight", at::empty({3 * dim, dim}, options));
    out_weight_ = block.register_parameter("out_weight", at::empty({dim, dim}, options));
}

void SelfAttention::register_biases(torch::nn::Module& block, const at::TensorOptions& options) {
    if (!config_.bias) return;
    const auto dim = config_.dim;
    qkv_bias_ = block.register_parameter("qkv_bias", at::empty({(config_.key_bias ? 3 : 2) * dim}, options));
    out_bias_ = block.register_parameter("out_bias", at::empty({dim}, options));
}

at::Tensor SelfAttention::forward(const at::Tensor& x, const at::Tensor& residual, const BlockPass& pass,
                                  bool training) {
    return linear_add(attend(x, pass, training), out_weight_, out_bias_, residual, training ? config_.dropout : 0.0);
}

at::Tensor SelfAttention::attend(const at::Tensor& x, const BlockPass& pass, bool training) {
    const auto batch = x.size(0);
    const auto length = x.size(1);
    const auto qkv =
        linear(x, qkv_weight_, qkv_bias()).view({batch, length, 3, config_.heads, config_.dim / config_.heads});
    const auto parts = split_qkv(qkv);  // each [batch, length, heads, head_dim]
    AttentionInput input;
    std::tie(input.q, input.k) =
        pass.position.rotate(parts[0].transpose(1, 2), parts[1].transpose(1, 2), pass.positions);
    input.v = parts[2].transpose(1, 2);
    if (pass.cache != nullptr) {
        std::tie(input.k, input.v) = pass.cache->append(static_cast<std::size_t>(layer_), input.k, input.v);
    }
    input.bias = pass.bias;
    input.dropout = training ? config_.attention_dropout : 0.0;
    input.scratch = pass.scratch;
    return pass.backend.forward(input).transpose(1, 2).reshape({batch, length, config_.dim});
}

SelfAttentionMemory SelfAttention::memory(const PassSizes& pass) const {
    const double dim = static_cast<double>(config_.dim);
    const double hidden = pass.tokens * dim * pass.narrow;
    const double qkv = static_cast<double>(qkv_weight_.numel()), out = static_cast<double>(out_weight_.numel());
    // q, k and v are three views of one projection; rotated queries and keys are separate tensors beside it.
    const double projected = (pass.rotates ? 5 : 3) * hidden;
    // A GPU's dropout keeps a mask of one byte for each element.
    const double mask = pass.cuda && config_.dropout > 0 ? pass.tokens * dim : 0;
    SelfAttentionMemory memory;
    memory.kept = (pass.attention.copies > 0 ? pass.attention.copies : projected) + pass.attention.kept + hidden + mask;
    if (pass.half) memory.copies = (qkv + out) * pass.narrow;
    if (pass.half) memory.projection_copies = qkv * pass.narrow;
    memory.backward = hidden + pass.attention.backward;
    // The gradients of q, k and v, of the input and of the weight (oneDNN computes the latter from transposed operands
    // and transposes it back).
    const auto rows = RowThreads::of(static_cast<std::int64_t>(pass.tokens), qkv_weight_.numel(), pass.threads);
    const double weight =
        pass.onednn ? static_cast<double>(rows.matrices()) * pass.wide : pass.wide + (pass.half ? pass.narrow : 0);
    memory.projection_backward = 4 * hidden + (pass.onednn ? pass.tokens * dim * pass.wide : 0) + qkv * weight;
    if (pass.gradients_stay) memory.gradients = out * pass.wide;
    // Two more tensors are the output before and after its projection.
    memory.evaluation = projected + 2 * hidden + pass.attention.evaluation;
    return memory;
}

at::Tensor SelfAttention::qkv_bias() const {
    if (!qkv_bias_.defined() || config_.key_bias) {
        return qkv_bias_;
    }
    const auto q_and_v = qkv_bias_.chunk(2);
    return at::cat({q_and_v[0], at::zeros({config_.dim}, qkv_bias_.options().requires_grad(false)), q_and_v[1]});
}

void SelfAttention::reset_weights() {
    const at::NoGradGuard no_grad;
    const auto dim = static_cast<double>(config_.dim);
    switch (config_.init) {
        // This is how fairseq's multihead attention draws.
        case FirstWeights::fairseq:
            draw_uniform(qkv_weight_,
                         std::sqrt(6.0 / (2.0 * dim)) / std::sqrt(2.0));  // xavier of each [dim, dim], gain 1/sqrt(2)
            draw_uniform(qkv_bias_, 1.0 / std::sqrt(dim));
            draw_uniform(out_weight_, std::sqrt(6.0 / (2.0 * dim)));  // xavier
            draw_uniform(out_bias_, 0.0);
            break;
        case FirstWeights::gpt2:
            qkv_weight_.normal_(0.0, kGpt2Deviation);
            out_weight_.normal_(0.0, gpt2_residual_deviation(config_.layers));
            break;
    }
}

void SelfAttention::reset_biases() {
    const at::NoGradGuard no_grad;
    switch (config_.init) {
        case FirstWeights::fairseq: break;  // drawn with the weights
        case FirstWeights::gpt2:
            draw_uniform(qkv_bias_, 0.0);
            draw_uniform(out_bias_, 0.0);
            break;
    }
}

void SelfAttention::list_tensors(const std::string& layer, std::vector<NamedTensor>& tensors) const {
    const auto dim = config_.dim;
    const std::string attention = layer + "attention.";
    tensors.push_back({attention + "q.weight", qkv_weight_.narrow(0, 0, dim)});
    tensors.push_back({attention + "k.weight", qkv_weight_.narrow(0, dim, dim)});
    tensors.push_back({attention + "v.weight", qkv_weight_.narrow(0, 2 * dim, dim)});
    tensors.push_back({attention + "out.weight", out_weight_});
    if (config_.bias) {
        tensors.push_back({attention + "q.bias", qkv_bias_.narrow(0, 0, dim)});
        if (config_.key_bias) {
            tensors.push_back({attention + "k.bias", qkv_bias_.narrow(0, dim, dim)});
        }
        tensors.push_back({attention + "v.bias", qkv_bias_.narrow(0, qkv_bias_.size(0) - dim, dim)});
        tensors.push_back({attention + "out.bias", out_bias_});
    }
}

}  // namespace longbow
