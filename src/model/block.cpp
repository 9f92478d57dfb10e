#include "block.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/zeros.h>

#include <cmath>

#include "dropout.h"
#include "linear_relu.h"
#include "longbow/model/linear.h"
#include "onednn.h"
#include "relu_ffn.h"
#include "split_qkv.h"

namespace longbow {

Block::Block(const ModelConfig& config, std::int64_t layer) : config_(config), layer_(layer) {
    const auto dim = config.dim;
    const auto ffn_rows = config.activation == Activation::swiglu ? 2 * config.ffn_dim : config.ffn_dim;
    norm1_ = register_module("norm1", std::make_shared<Norm>(config));
    norm2_ = register_module("norm2", std::make_shared<Norm>(config));
    qkv_weight_ = register_parameter("qkv_weight", at::empty({3 * dim, dim}));
    out_weight_ = register_parameter("out_weight", at::empty({dim, dim}));
    ffn_in_weight_ = register_parameter("ffn_in_weight", at::empty({ffn_rows, dim}));
    ffn_out_weight_ = register_parameter("ffn_out_weight", at::empty({dim, config.ffn_dim}));
    if (config.bias) {
        qkv_bias_ = register_parameter("qkv_bias", at::empty({(config.key_bias ? 3 : 2) * dim}));
        out_bias_ = register_parameter("out_bias", at::empty({dim}));
        ffn_in_bias_ = register_parameter("ffn_in_bias", at::empty({ffn_rows}));
        ffn_out_bias_ = register_parameter("ffn_out_bias", at::empty({dim}));
    }
    reset_parameters();
}

at::Tensor Block::forward(const at::Tensor& x, const BlockPass& pass) {
    const auto [attention_in, residual] = norm1_->beside_residual(x);
    const auto attended = add_linear(residual, attention(attention_in, pass), out_weight_, out_bias_);
    const auto [ffn_in, ffn_residual] = norm2_->beside_residual(attended);
    return feed_forward(ffn_in, ffn_residual);
}

at::Tensor Block::add_linear(const at::Tensor& residual, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
    const double p = in_training(config_.dropout);
    return p == 0.0 ? linear_add(x, weight, bias, residual) : add_dropout(residual, linear(x, weight, bias), p);
}

at::Tensor Block::attention(const at::Tensor& x, const BlockPass& pass) {
    const auto batch = x.size(0);
    const auto length = x.size(1);
    const auto qkv = linear(x, qkv_weight_, qkv_bias()).view({batch, length, 3, config_.heads, config_.dim / config_.heads});
    const auto parts = split_qkv(qkv);  // each [batch, length, heads, head_dim]
    AttentionInput input;
    std::tie(input.q, input.k) = pass.position.rotate(parts[0].transpose(1, 2), parts[1].transpose(1, 2), pass.positions);
    input.v = parts[2].transpose(1, 2);
    if (pass.cache != nullptr) {
        std::tie(input.k, input.v) = pass.cache->append(static_cast<std::size_t>(layer_), input.k, input.v);
    }
    input.bias = pass.bias;
    input.dropout = in_training(config_.attention_dropout);
    input.scratch = pass.scratch;
    return pass.backend.forward(input).transpose(1, 2).reshape({batch, length, config_.dim});
}

at::Tensor Block::feed_forward(const at::Tensor& x, const at::Tensor& residual) {
    if (config_.activation == Activation::relu && in_training(config_.activation_dropout) == 0.0 && onednn_serves(x, ffn_in_weight_)) {
        const double p = in_training(config_.dropout);
        const auto y = relu_ffn(x, ffn_in_weight_, ffn_in_bias_, ffn_out_weight_, ffn_out_bias_, p == 0.0 ? residual : at::Tensor());
        return p == 0.0 ? y : add_dropout(residual, y, p);
    }
    return add_linear(residual, ffn_hidden(x), ffn_out_weight_, ffn_out_bias_);
}

at::Tensor Block::ffn_hidden(const at::Tensor& x) {
    at::Tensor hidden;
    switch (config_.activation) {
        case Activation::relu: hidden = linear_relu(x, ffn_in_weight_, ffn_in_bias_); break;
        case Activation::gelu: hidden = at::gelu(linear(x, ffn_in_weight_, ffn_in_bias_)); break;
        case Activation::swiglu: {
            const auto halves = linear(x, ffn_in_weight_, ffn_in_bias_).chunk(2, -1);
            hidden = halves[0].mul(at::silu(halves[1]));
            break;
        }
    }
    return dropout(hidden, in_training(config_.activation_dropout));
}

at::Tensor Block::qkv_bias() const {
    if (!qkv_bias_.defined() || config_.key_bias) {
        return qkv_bias_;
    }
    const auto q_and_v = qkv_bias_.chunk(2);
    return at::cat({q_and_v[0], at::zeros({config_.dim}, qkv_bias_.options().requires_grad(false)), q_and_v[1]});
}

// model.init: "fairseq" as the paper's models began (fairseq's multihead attention and transformer layer); "gpt2" as GPT-2's.
void Block::reset_parameters() {
    const at::NoGradGuard no_grad;
    norm1_->reset_parameters();
    norm2_->reset_parameters();
    const auto dim = static_cast<double>(config_.dim);
    const auto ffn_dim = static_cast<double>(config_.ffn_dim);
    const auto uniform = [](const at::Tensor& parameter, double bound) {
        if (parameter.defined()) {
            parameter.uniform_(-bound, bound);
        }
    };
    if (config_.init == FirstWeights::gpt2) {
        constexpr double kDeviation = 0.02;
        const double residual = kDeviation / std::sqrt(2.0 * static_cast<double>(config_.layers));
        qkv_weight_.normal_(0.0, kDeviation);
        out_weight_.normal_(0.0, residual);
        ffn_in_weight_.normal_(0.0, kDeviation);
        ffn_out_weight_.normal_(0.0, residual);
        for (const auto& bias : {qkv_bias_, out_bias_, ffn_in_bias_, ffn_out_bias_}) {
            uniform(bias, 0.0);
        }
        return;
    }
    uniform(qkv_weight_, std::sqrt(6.0 / (2.0 * dim)) / std::sqrt(2.0));  // xavier of each [dim, dim], gain 1/sqrt(2)
    uniform(qkv_bias_, 1.0 / std::sqrt(dim));
    uniform(out_weight_, std::sqrt(6.0 / (2.0 * dim)));  // xavier
    uniform(out_bias_, 0.0);
    uniform(ffn_in_weight_, 1.0 / std::sqrt(dim));  // torch's default for linear layers: bound 1/sqrt(fan_in)
    uniform(ffn_in_bias_, 1.0 / std::sqrt(dim));
    uniform(ffn_out_weight_, 1.0 / std::sqrt(ffn_dim));
    uniform(ffn_out_bias_, 1.0 / std::sqrt(ffn_dim));
}

void Block::list_pieces(std::vector<StoredPiece>& pieces) const {
    const std::string layer = "layers." + std::to_string(layer_) + ".";
    const auto dim = config_.dim;
    const auto ffn_dim = config_.ffn_dim;
    const auto add_norm = [&](const char* name, const Norm& norm) {
        pieces.push_back(StoredPiece::whole(layer + name + ".weight", norm.weight()));
        if (norm.bias().defined()) {
            pieces.push_back(StoredPiece::whole(layer + name + ".bias", norm.bias()));
        }
    };
    add_norm("norm1", *norm1_);
    const std::string attention = layer + "attention.";
    pieces.push_back({attention + "q.weight", qkv_weight_, 0, dim});
    pieces.push_back({attention + "k.weight", qkv_weight_, dim, dim});
    pieces.push_back({attention + "v.weight", qkv_weight_, 2 * dim, dim});
    pieces.push_back(StoredPiece::whole(attention + "out.weight", out_weight_));
    if (config_.bias) {
        pieces.push_back({attention + "q.bias", qkv_bias_, 0, dim});
        if (config_.key_bias) {
            pieces.push_back({attention + "k.bias", qkv_bias_, dim, dim});
        }
        pieces.push_back({attention + "v.bias", qkv_bias_, qkv_bias_.size(0) - dim, dim});
        pieces.push_back(StoredPiece::whole(attention + "out.bias", out_bias_));
    }
    add_norm("norm2", *norm2_);
    for (const auto& [kind, weight] : {std::pair{"weight", ffn_in_weight_}, std::pair{"bias", ffn_in_bias_}}) {
        if (weight.defined()) {
            pieces.push_back({layer + "ffn.in." + kind, weight, 0, ffn_dim});
            if (config_.activation == Activation::swiglu) {
                pieces.push_back({layer + "ffn.gate." + kind, weight, ffn_dim, ffn_dim});
            }
        }
    }
    pieces.push_back(StoredPiece::whole(layer + "ffn.out.weight", ffn_out_weight_));
    if (config_.bias) {
        pieces.push_back(StoredPiece::whole(layer + "ffn.out.bias", ffn_out_bias_));
    }
}

}  // namespace longbow
