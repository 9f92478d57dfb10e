#include "self_attention.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <tuple>
#include <utility>

#include "first_weights.h"
#include "longbow/model/linear.h"
#include "norm.h"
#include "row_threads.h"
#include "split_qkv.h"

namespace longbow {

namespace {

// Returns the widths of the norms of queries and of keys; 0: there are none.
std::int64_t norm_width(const ModelConfig& config, std::int64_t rows) {
    switch (config.qk_norm) {
        case QkNorm::none: return 0;
        case QkNorm::head: return config.head_size();
        case QkNorm::whole: return rows;
    }
    return 0;
}

}  // namespace

SelfAttention::SelfAttention(const ModelConfig& config, std::int64_t layer)
    : config_(config),
      layer_(layer),
      heads_(config.heads),
      kv_heads_(config.key_value_heads()),
      head_dim_(config.head_size()),
      q_rows_(heads_ * head_dim_),
      kv_rows_(kv_heads_ * head_dim_) {}

void SelfAttention::register_weights(torch::nn::Module& block, const at::TensorOptions& options) {
    const auto dim = config_.dim;
    qkv_weight_ = block.register_parameter("qkv_weight", at::empty({q_rows_ + 2 * kv_rows_, dim}, options));
    out_weight_ = block.register_parameter("out_weight", at::empty({dim, q_rows_}, options));
    if (config_.qk_norm == QkNorm::none || !config_.norm_weights) return;
    q_norm_ = block.register_parameter("q_norm", at::empty({norm_width(config_, q_rows_)}, options));
    k_norm_ = block.register_parameter("k_norm", at::empty({norm_width(config_, kv_rows_)}, options));
}

void SelfAttention::register_biases(torch::nn::Module& block, const at::TensorOptions& options) {
    if (config_.has_bias(config_.qkv_bias)) {
        const auto rows = q_rows_ + (config_.key_bias ? 2 : 1) * kv_rows_;
        qkv_bias_ = block.register_parameter("qkv_bias", at::empty({rows}, options));
    }
    if (config_.has_bias(config_.out_bias))
        out_bias_ = block.register_parameter("out_bias", at::empty({config_.dim}, options));
}

at::Tensor SelfAttention::forward(const at::Tensor& x, const at::Tensor& residual, const BlockPass& pass,
                                  bool training) {
    const double p = training && residual.defined() ? config_.dropout : 0.0;
    return linear_add(attend(x, pass, training), out_weight_, out_bias_, residual, p);
}

at::Tensor SelfAttention::attend(const at::Tensor& x, const BlockPass& pass, bool training) {
    const auto batch = x.size(0);
    const auto length = x.size(1);
    auto qkv = linear(x, qkv_weight_, qkv_bias()).view({batch, length, heads_ + 2 * kv_heads_, head_dim_});
    if (config_.qkv_clip > 0) qkv = qkv.clamp(-config_.qkv_clip, config_.qkv_clip);
    const auto parts = split_qkv(qkv, kv_heads_);  // [batch, length, heads or kv_heads, head_dim]
    AttentionInput input;
    PositionCall call = pass.call;
    call.layer = layer_;
    call.x = x;
    call.q = normed(parts[0], q_norm_).transpose(1, 2);
    call.k = normed(parts[1], k_norm_).transpose(1, 2);
    set_bias(input, call, pass);
    auto turned = pass.position.rotate(call);
    input.q = std::move(turned.q);
    input.k = std::move(turned.k);
    input.v = parts[2].transpose(1, 2);
    input.far_q = std::move(turned.far_q);
    input.far_k = std::move(turned.far_k);
    input.far_from = turned.far_from;
    if (pass.cache != nullptr) {
        const auto layer = static_cast<std::size_t>(layer_);
        std::tie(input.k, input.v) = pass.cache->append(layer, input.k, input.v);
        if (input.far_k.defined()) input.far_k = pass.cache->append_far(layer, input.far_k);
    }
    // A method may make queries and keys wider; their scores are scaled as before.
    input.scale = score_scale();
    if (!input.scale && input.q.size(3) != head_dim_) input.scale = 1.0 / std::sqrt(static_cast<double>(head_dim_));
    input.dropout = training ? config_.attention_dropout : 0.0;
    const auto out = pass.position.attends(layer_) ? attend_by_method(input, call, pass) : pass.backend.forward(input);
    return out.transpose(1, 2).reshape({batch, length, q_rows_});
}

void SelfAttention::set_bias(AttentionInput& input, const PositionCall& call, const BlockPass& pass) {
    input.bias = pass.bias;
    input.scratch = pass.scratch;
    if (pass.position.parts_from_data(call.layer).empty()) return;
    input.bias = pass.position.bias(call);
    if (input.bias.window == 0) input.bias.window = call.window;
    input.scratch = nullptr;  // no other layer has this bias
}

at::Tensor SelfAttention::attend_by_method(const AttentionInput& input, const PositionCall& call,
                                           const BlockPass& pass) const {
    const auto group = heads_ / kv_heads_;
    const auto for_each_head = [&](const at::Tensor& t) {
        return group == 1 ? t : t.repeat_interleave(group, /*dim=*/1);
    };
    const double scale = input.scale.value_or(1.0 / std::sqrt(static_cast<double>(head_dim_)));
    return pass.position.attend(
        {input.q, for_each_head(input.k), for_each_head(input.v), input.bias, scale, input.dropout}, call);
}

at::Tensor SelfAttention::normed(const at::Tensor& x, const at::Tensor& weight) const {
    switch (config_.qk_norm) {
        case QkNorm::none: return x;
        case QkNorm::head: return norm_of_queries_or_keys(x, weight, config_.norm, config_.norm_eps);
        case QkNorm::whole:
            return norm_of_queries_or_keys(x.flatten(2), weight, config_.norm, config_.norm_eps).view(x.sizes());
    }
    return x;
}

std::optional<double> SelfAttention::score_scale() const {
    if (config_.score_scale == 0 && !config_.score_scale_by_layer) return {};
    const double scale =
        config_.score_scale > 0 ? config_.score_scale : 1.0 / std::sqrt(static_cast<double>(head_dim_));
    return config_.score_scale_by_layer ? scale / static_cast<double>(layer_ + 1) : scale;
}

SelfAttentionMemory SelfAttention::memory(const PassSizes& pass) const {
    const double dim = static_cast<double>(config_.dim);
    const double hidden = pass.tokens * dim * pass.narrow;
    const double queries = pass.tokens * static_cast<double>(q_rows_) * pass.narrow;
    const double keys = pass.tokens * static_cast<double>(kv_rows_) * pass.narrow;
    const double qkv = static_cast<double>(qkv_weight_.numel()), out = static_cast<double>(out_weight_.numel());
    // q, k and v are three views of one projection; rotated or normed queries and keys are separate tensors beside it.
    const bool apart = pass.rotates || config_.qk_norm != QkNorm::none;
    const double projected = queries + 2 * keys + (apart ? queries + keys : 0);
    const double clip_and_norms = kept_by_clip_and_norms(pass);
    // A GPU's dropout keeps a mask of one byte for each element.
    const double mask = pass.cuda && config_.dropout > 0 ? pass.tokens * dim : 0;
    SelfAttentionMemory memory;
    memory.kept = (pass.attention.copies > 0 ? pass.attention.copies : projected) + clip_and_norms +
                  pass.attention.kept + queries + mask;
    if (pass.half) memory.copies = (qkv + out) * pass.narrow;
    if (pass.half) memory.projection_copies = qkv * pass.narrow;
    memory.backward = queries + pass.attention.backward;
    // The gradients of q, k and v, of the input and of the weight (oneDNN computes the latter from transposed operands
    // and transposes it back).
    const auto rows = RowThreads::of(static_cast<std::int64_t>(pass.tokens), qkv_weight_.numel(), pass.threads);
    const double weight =
        pass.onednn ? static_cast<double>(rows.matrices()) * pass.wide : pass.wide + (pass.half ? pass.narrow : 0);
    memory.projection_backward =
        queries + 2 * keys + hidden + (pass.onednn ? pass.tokens * dim * pass.wide : 0) + qkv * weight;
    if (pass.gradients_stay) memory.gradients = out * pass.wide;
    // Two more tensors are the output before and after its projection.
    memory.evaluation = projected + queries + hidden + pass.attention.evaluation;
    return memory;
}

double SelfAttention::kept_by_clip_and_norms(const PassSizes& pass) const {
    const double normed = pass.tokens * static_cast<double>(q_rows_ + kv_rows_);
    double kept = 0;
    if (config_.qkv_clip > 0) kept += (normed + pass.tokens * static_cast<double>(kv_rows_)) * pass.narrow;
    if (config_.qk_norm == QkNorm::none) return kept;
    if (pass.half) kept += normed * pass.wide;          // widened
    if (q_norm_.defined()) kept += normed * pass.wide;  // before the weights
    return kept;
}

at::Tensor SelfAttention::qkv_bias() const {
    if (!qkv_bias_.defined() || config_.key_bias) {
        return qkv_bias_;
    }
    const auto none = at::zeros({kv_rows_}, qkv_bias_.options().requires_grad(false));
    return at::cat({qkv_bias_.narrow(0, 0, q_rows_), none, qkv_bias_.narrow(0, q_rows_, kv_rows_)});
}

void SelfAttention::reset_weights() {
    const at::NoGradGuard no_grad;
    const auto dim = static_cast<double>(config_.dim);
    const auto xavier = [](std::int64_t in, std::int64_t out) {
        return std::sqrt(6.0 / static_cast<double>(in + out));
    };
    switch (config_.init) {
        // This is how fairseq's multihead attention draws.
        case FirstWeights::fairseq:
            for (std::int64_t part = 0, from = 0; part < 3; ++part) {  // xavier of each of the three, gain 1/sqrt(2)
                const auto rows = part == 0 ? q_rows_ : kv_rows_;
                draw_uniform(qkv_weight_.narrow(0, from, rows), xavier(config_.dim, rows) / std::sqrt(2.0));
                from += rows;
            }
            draw_uniform(qkv_bias_, 1.0 / std::sqrt(dim));
            draw_uniform(out_weight_, xavier(config_.dim, q_rows_));
            draw_uniform(out_bias_, 0.0);
            break;
        case FirstWeights::gpt2:
            qkv_weight_.normal_(0.0, kGpt2Deviation);
            out_weight_.normal_(0.0, gpt2_residual_deviation(config_.layers));
            break;
    }
    for (const auto* weight : {&q_norm_, &k_norm_}) {
        if (weight->defined()) reset_norm_weight(*weight, config_.norm);
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
    const std::string attention = layer + "attention.";
    tensors.push_back({attention + "q.weight", qkv_weight_.narrow(0, 0, q_rows_)});
    tensors.push_back({attention + "k.weight", qkv_weight_.narrow(0, q_rows_, kv_rows_)});
    tensors.push_back({attention + "v.weight", qkv_weight_.narrow(0, q_rows_ + kv_rows_, kv_rows_)});
    tensors.push_back({attention + "out.weight", out_weight_});
    if (qkv_bias_.defined()) {
        tensors.push_back({attention + "q.bias", qkv_bias_.narrow(0, 0, q_rows_)});
        if (config_.key_bias) {
            tensors.push_back({attention + "k.bias", qkv_bias_.narrow(0, q_rows_, kv_rows_)});
        }
        tensors.push_back({attention + "v.bias", qkv_bias_.narrow(0, qkv_bias_.size(0) - kv_rows_, kv_rows_)});
    }
    if (out_bias_.defined()) tensors.push_back({attention + "out.bias", out_bias_});
    if (q_norm_.defined()) {
        tensors.push_back({attention + "q_norm.weight", q_norm_});
        tensors.push_back({attention + "k_norm.weight", k_norm_});
    }
}

}  // namespace longbow
