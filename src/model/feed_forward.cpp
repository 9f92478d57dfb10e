#include "feed_forward.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/silu.h>

#include <cmath>
#include <utility>

#include "dropout.h"
#include "first_weights.h"
#include "longbow/model/linear.h"
#include "onednn.h"
#include "relu_ffn.h"
#include "row_threads.h"

namespace longbow {

namespace {

// Counts tensors of the hidden layer's size, [batch, length, ffn_dim].
struct HiddenStates {
    double kept = 0;       // read by the backward pass
    double gradients = 0;  // that exist at once
    double evaluation = 0;
};

HiddenStates states_of(Activation activation, bool with_dropout) {
    switch (activation) {
        // Its derivative reads its own output, which is kept until then.
        case Activation::relu: return {1, with_dropout ? 1.0 : 2.0, 2};
        case Activation::gelu:
        case Activation::gelu_tanh: return {2, 1, 2};
        case Activation::gelu_bloom: return {5, 3, 4};  // computed step by step
        case Activation::swiglu:
        case Activation::geglu_tanh: return {4, 2, 4};
    }
    return {};
}

// BLOOM's constants, as its published code has them. ATen's gelu has sqrt(2/pi) in full: in fp64 the losses of a small
// model then differ by 1e-9.
at::Tensor gelu_bloom(const at::Tensor& x) {
    constexpr double kRoot = 0.79788456, kCube = 0.044715;
    const auto inner = x.mul(x.mul(x).mul(kRoot * kCube).add(kRoot));
    return x.mul(inner.tanh().mul(0.5).add(0.5));
}

}  // namespace

bool FeedForward::gated() const {
    switch (config_.activation) {
        case Activation::relu:
        case Activation::gelu:
        case Activation::gelu_tanh:
        case Activation::gelu_bloom: return false;
        case Activation::swiglu:
        case Activation::geglu_tanh: return true;
    }
    return false;
}

void FeedForward::register_weights(torch::nn::Module& block, const at::TensorOptions& options) {
    in_weight_ = block.register_parameter("ffn_in_weight", at::empty({in_rows(), config_.dim}, options));
    out_weight_ = block.register_parameter("ffn_out_weight", at::empty({config_.dim, config_.ffn_dim}, options));
}

void FeedForward::register_biases(torch::nn::Module& block, const at::TensorOptions& options) {
    if (!config_.has_bias(config_.ffn_bias)) return;
    in_bias_ = block.register_parameter("ffn_in_bias", at::empty({in_rows()}, options));
    out_bias_ = block.register_parameter("ffn_out_bias", at::empty({config_.dim}, options));
}

at::Tensor FeedForward::forward(const at::Tensor& x, const at::Tensor& residual, bool training) {
    const double p = training && residual.defined() ? config_.dropout : 0.0;
    const double inner_p = training ? config_.activation_dropout : 0.0;
    if (config_.activation == Activation::relu && inner_p == 0.0 && onednn_serves(x, in_weight_)) {
        const auto y = relu_ffn(x, in_weight_, in_bias_, out_weight_, out_bias_, p == 0.0 ? residual : at::Tensor());
        return p == 0.0 ? y : add_dropout(residual, y, p);
    }
    return linear_add(dropout(activated(x), inner_p), out_weight_, out_bias_, residual, p);
}

at::Tensor FeedForward::activated(const at::Tensor& x) {
    switch (config_.activation) {
        case Activation::relu: return linear_relu(x, in_weight_, in_bias_);
        case Activation::gelu: return at::gelu(linear(x, in_weight_, in_bias_));
        case Activation::gelu_tanh: return at::gelu(linear(x, in_weight_, in_bias_), "tanh");
        case Activation::gelu_bloom: return gelu_bloom(linear(x, in_weight_, in_bias_));
        case Activation::swiglu: {
            const auto halves = linear(x, in_weight_, in_bias_).chunk(2, -1);
            return halves[0].mul(at::silu(halves[1]));
        }
        case Activation::geglu_tanh: {
            const auto halves = linear(x, in_weight_, in_bias_).chunk(2, -1);
            return halves[0].mul(at::gelu(halves[1], "tanh"));
        }
    }
    return {};
}

FeedForwardMemory FeedForward::memory(const PassSizes& pass) const {
    const double hidden = pass.tokens * static_cast<double>(config_.dim) * pass.narrow;
    const double elements = pass.tokens * static_cast<double>(config_.ffn_dim), inner = elements * pass.narrow;
    const double weights = static_cast<double>(product_weights());
    const bool with_dropout = config_.activation_dropout > 0;
    const auto states = states_of(config_.activation, with_dropout);
    FeedForwardMemory memory;
    memory.kept = states.kept * inner;
    // A GPU's dropout keeps its mask, one byte for each element.
    if (with_dropout) memory.kept += inner + (pass.cuda ? elements : 0);
    if (pass.cuda && config_.dropout > 0) memory.kept += pass.tokens * static_cast<double>(config_.dim);
    if (pass.half) memory.copies = weights * pass.narrow;
    if (pass.gradients_stay) memory.gradients = weights * pass.wide;
    // Dropout and half precision make a second tensor of the incoming gradient.
    if (pass.half || config_.dropout > 0) memory.backward = hidden;
    memory.evaluation = hidden;
    if (config_.activation == Activation::relu && !with_dropout && pass.onednn) {
        const auto fused = relu_ffn_memory(pass, config_.dim, config_.ffn_dim);
        memory.backward += fused.backward;
        memory.evaluation += fused.evaluation;
        return memory;
    }
    // The gradients of the hidden layer and of the weight after it.
    const auto rows = RowThreads::of(static_cast<std::int64_t>(pass.tokens), out_weight_.numel(), pass.threads);
    const auto matrices = pass.onednn && rows.threads > 1 ? rows.matrices() : 1;
    memory.backward += states.gradients * inner + static_cast<double>(matrices * out_weight_.numel()) * pass.wide;
    memory.evaluation += states.evaluation * inner;
    return memory;
}

void FeedForward::reset_weights() {
    const at::NoGradGuard no_grad;
    const auto dim = static_cast<double>(config_.dim);
    const auto ffn_dim = static_cast<double>(config_.ffn_dim);
    switch (config_.init) {
        case FirstWeights::fairseq:  // torch's default for linear layers: bound 1/sqrt(fan_in)
            draw_uniform(in_weight_, 1.0 / std::sqrt(dim));
            draw_uniform(in_bias_, 1.0 / std::sqrt(dim));
            draw_uniform(out_weight_, 1.0 / std::sqrt(ffn_dim));
            draw_uniform(out_bias_, 1.0 / std::sqrt(ffn_dim));
            break;
        case FirstWeights::gpt2:
            in_weight_.normal_(0.0, kGpt2Deviation);
            out_weight_.normal_(0.0, gpt2_residual_deviation(config_.layers));
            break;
    }
}

void FeedForward::reset_biases() {
    const at::NoGradGuard no_grad;
    switch (config_.init) {
        case FirstWeights::fairseq: break;  // drawn with the weights
        case FirstWeights::gpt2:
            draw_uniform(in_bias_, 0.0);
            draw_uniform(out_bias_, 0.0);
            break;
    }
}

void FeedForward::list_tensors(const std::string& layer, std::vector<NamedTensor>& tensors) const {
    for (const auto& [kind, parameter] : {std::pair{"weight", in_weight_}, std::pair{"bias", in_bias_}}) {
        if (!parameter.defined()) continue;
        tensors.push_back({layer + "ffn.in." + kind, parameter.narrow(0, 0, config_.ffn_dim)});
        if (gated()) {
            tensors.push_back({layer + "ffn.gate." + kind, parameter.narrow(0, config_.ffn_dim, config_.ffn_dim)});
        }
    }
    tensors.push_back({layer + "ffn.out.weight", out_weight_});
    if (out_bias_.defined()) {
        tensors.push_back({layer + "ffn.out.bias", out_bias_});
    }
}

}  // namespace longbow
