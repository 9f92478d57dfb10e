// Computes a model's log-probabilities step by step in fp64 from its stored tensors alone, as the definitions of its
// settings say. Positions are the model's own method: what it rotates and adds is tested elsewhere.
#pragma once

#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <utility>

#include "longbow/config/config.h"
#include "longbow/model/language_model.h"

namespace longbow::test {

using Weights = std::map<std::string, at::Tensor>;

class PlainModel {
public:
    // `weights` are fp64, under their stored names.
    PlainModel(const Config& config, PositionMethod& position, Weights weights)
        : m_(config.model), window_(config.position.window), position_(position), weights_(std::move(weights)) {}

    // Returns [batch, length, vocab] of tokens [batch, length].
    at::Tensor log_probabilities(const at::Tensor& tokens) {
        auto x = torch::embedding(weight("embed.tokens.weight"), tokens);
        if (m_.embedding_scale == EmbeddingScale::sqrt_dim) x = x * std::sqrt(static_cast<double>(m_.dim));
        if (m_.embedding_norm) x = norm("embed.norm", x);
        if (has("embed.project_in.weight")) x = linear("embed.project_in", x);
        call_.evaluated_length = tokens.size(1);
        call_.positions = torch::arange(tokens.size(1));
        x = position_.embed(x, call_);
        for (std::int64_t layer = 0; layer < m_.layers; ++layer) x = block(layer, x);
        if (m_.final_norm) x = norm("final_norm", x);
        if (has("head.project_out.weight")) x = linear("head.project_out", x);
        auto logits = torch::matmul(x, weight(m_.tie_output ? "embed.tokens.weight" : "head.weight").t());
        if (m_.head_bias) logits = logits + weight("head.bias");
        return logits.log_softmax(-1);
    }

private:
    [[nodiscard]] bool has(const std::string& name) const { return weights_.contains(name); }
    [[nodiscard]] const at::Tensor& weight(const std::string& name) const { return weights_.at(name); }

    at::Tensor linear(const std::string& name, const at::Tensor& x) const {
        const auto y = torch::matmul(x, weight(name + ".weight").t());
        return has(name + ".bias") ? y + weight(name + ".bias") : y;
    }

    at::Tensor root_mean_square(const std::string& name, const at::Tensor& x) const {
        const auto y = x / (x * x).mean(-1, true).add(m_.norm_eps).sqrt();
        if (!has(name + ".weight")) return y;
        return y * (m_.norm == NormKind::rmsnorm_1p ? 1 + weight(name + ".weight") : weight(name + ".weight"));
    }

    at::Tensor norm(const std::string& name, const at::Tensor& x) const {
        if (m_.norm != NormKind::layernorm) return root_mean_square(name, x);
        const auto centred = x - x.mean(-1, true);
        auto y = centred / (centred * centred).mean(-1, true).add(m_.norm_eps).sqrt();
        if (has(name + ".weight")) y = y * weight(name + ".weight");
        return has(name + ".bias") ? y + weight(name + ".bias") : y;
    }

    at::Tensor block(std::int64_t layer, const at::Tensor& x) {
        const auto name = "layers." + std::to_string(layer) + ".";
        const auto attend = [&](const at::Tensor& in) { return attention(layer, name + "attention.", in); };
        const auto feed = [&](const at::Tensor& in) { return feed_forward(name + "ffn.", in); };
        const auto norm1 = [&](const at::Tensor& in) { return norm(name + "norm1", in); };
        const auto norm2 = [&](const at::Tensor& in) { return norm(name + "norm2", in); };
        switch (m_.block) {
            case BlockKind::pre_norm: {
                const auto y = x + attend(norm1(x));
                return y + feed(norm2(y));
            }
            case BlockKind::normed_residual: {
                const auto n = norm1(x);
                const auto y = norm2(n + attend(n));
                return y + feed(y);
            }
            case BlockKind::post_norm: {
                const auto y = norm1(x + attend(x));
                return norm2(y + feed(y));
            }
            case BlockKind::sublayer_norm: {
                const auto y = x + norm1(attend(x));
                return y + norm2(feed(y));
            }
            case BlockKind::parallel: return x + attend(norm1(x)) + feed(norm2(x));
            case BlockKind::parallel_one_norm: return x + attend(norm1(x)) + feed(norm1(x));
        }
        return {};
    }

    at::Tensor heads_of(const std::string& name, const std::string& norm_name, const at::Tensor& x,
                        std::int64_t heads) const {
        auto y = linear(name, x);
        if (m_.qkv_clip > 0) y = y.clamp(-m_.qkv_clip, m_.qkv_clip);
        const bool normed = !norm_name.empty();
        if (normed && m_.qk_norm == QkNorm::whole) y = root_mean_square(norm_name, y);
        y = y.view({x.size(0), x.size(1), heads, m_.head_size()});
        if (normed && m_.qk_norm == QkNorm::head) y = root_mean_square(norm_name, y);
        return y.transpose(1, 2);
    }

    at::Tensor attention(std::int64_t layer, const std::string& name, const at::Tensor& x) {
        const auto length = x.size(1), kv_heads = m_.key_value_heads(), group = m_.heads / kv_heads;
        call_.layer = layer;
        call_.x = x;
        call_.q = heads_of(name + "q", name + "q_norm", x, m_.heads);
        call_.k = heads_of(name + "k", name + "k_norm", x, kv_heads);
        const auto turned = position_.rotate(call_);
        const auto k = turned.k.repeat_interleave(group, 1);
        const auto v = heads_of(name + "v", "", x, kv_heads).repeat_interleave(group, 1);
        double scale = m_.score_scale > 0 ? m_.score_scale : 1 / std::sqrt(static_cast<double>(m_.head_size()));
        if (m_.score_scale_by_layer) scale /= static_cast<double>(layer + 1);
        auto scores = torch::matmul(turned.q, k.transpose(2, 3)) * scale;
        const auto distance = torch::arange(length).unsqueeze(1) - torch::arange(length);
        const auto bias = position_.bias(call_);
        if (bias.slopes.defined()) scores = scores - bias.slopes.to(torch::kDouble).view({1, -1, 1, 1}) * distance;
        auto hidden = distance.lt(0);
        if (window_ > 0) hidden = hidden.logical_or(distance.ge(window_));
        scores = scores.masked_fill(hidden, -std::numeric_limits<double>::infinity());
        return linear(name + "out", torch::matmul(scores.softmax(-1), v).transpose(1, 2).flatten(2));
    }

    static at::Tensor gelu(const at::Tensor& x) { return x * 0.5 * (1 + torch::erf(x / std::sqrt(2.0))); }
    static at::Tensor gelu_tanh(const at::Tensor& x) {
        return x * 0.5 * (1 + torch::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x)));
    }

    static at::Tensor gelu_bloom(const at::Tensor& x) {
        return x * 0.5 * (1 + torch::tanh(0.79788456 * x * (1 + 0.044715 * x * x)));
    }

    at::Tensor feed_forward(const std::string& name, const at::Tensor& x) const {
        auto y = linear(name + "in", x);
        const auto kind = m_.activation;
        if (kind == Activation::relu) y = torch::where(y > 0, y, torch::zeros_like(y));
        if (kind == Activation::gelu) y = gelu(y);
        if (kind == Activation::gelu_tanh) y = gelu_tanh(y);
        if (kind == Activation::gelu_bloom) y = gelu_bloom(y);
        if (kind == Activation::geglu_tanh) y = y * gelu_tanh(linear(name + "gate", x));
        if (kind == Activation::swiglu) {
            const auto gate = linear(name + "gate", x);
            y = y * gate * torch::sigmoid(gate);
        }
        return linear(name + "out", y);
    }

    ModelConfig m_;
    std::int64_t window_;
    PositionMethod& position_;
    Weights weights_;
    PositionCall call_;
};

}  // namespace longbow::test
