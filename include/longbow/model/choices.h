// Defines the values of `model`'s closed settings. config/config.h includes this file, so it includes core/choice.h
// alone; the model room acts on the values.
#pragma once

#include "longbow/core/choice.h"

namespace longbow {

enum class Activation { relu, gelu, gelu_tanh, gelu_bloom, swiglu, geglu_tanh };

template <>
struct ChoiceTable<Activation> {
    static constexpr Choice<Activation> values[] = {
        {Activation::relu, "relu", "max(0, x), the paper's"},
        {Activation::gelu, "gelu", "x Phi(x), by erf"},
        {Activation::gelu_tanh, "gelu_tanh", "x Phi(x), where tanh approximates Phi, as in GPT-2"},
        {Activation::gelu_bloom, "gelu_bloom", "gelu_tanh with sqrt(2/pi) rounded to 0.79788456, as in BLOOM"},
        {Activation::swiglu, "swiglu", "x * silu(gate), with a gate projection"},
        {Activation::geglu_tanh, "geglu_tanh", "x * gelu_tanh(gate), with a gate projection, as in Gemma"}};
};

enum class NormKind { layernorm, rmsnorm, rmsnorm_1p };

template <>
struct ChoiceTable<NormKind> {
    static constexpr Choice<NormKind> values[] = {
        {NormKind::layernorm, "layernorm", "mean and variance, with a weight and (model.bias) a bias"},
        {NormKind::rmsnorm, "rmsnorm", "root mean square, with a weight"},
        {NormKind::rmsnorm_1p, "rmsnorm_1p", "root mean square, where one is added to the weight, as in Gemma"}};
};

enum class BlockKind { pre_norm, normed_residual, post_norm, sublayer_norm, parallel, parallel_one_norm };

template <>
struct ChoiceTable<BlockKind> {
    static constexpr Choice<BlockKind> values[] = {
        {BlockKind::pre_norm, "pre_norm", "x += attention(norm1(x)), x += ffn(norm2(x)), the paper's"},
        {BlockKind::normed_residual, "normed_residual", "pre_norm, but each sub-layer adds to its norm's output"},
        {BlockKind::post_norm, "post_norm", "x = norm1(x + attention(x)), x = norm2(x + ffn(x))"},
        {BlockKind::sublayer_norm, "sublayer_norm", "x += norm1(attention(x)), x += norm2(ffn(x)), as in OLMo 2"},
        {BlockKind::parallel, "parallel", "x += attention(norm1(x)) + ffn(norm2(x)), as in GPT-NeoX"},
        {BlockKind::parallel_one_norm, "parallel_one_norm",
         "x += attention(n) + ffn(n) with n = norm1(x), as in GPT-J"}};
};

enum class QkNorm { none, head, whole };

template <>
struct ChoiceTable<QkNorm> {
    static constexpr Choice<QkNorm> values[] = {
        {QkNorm::none, "none", "no norm"},
        {QkNorm::head, "head", "RMSNorm of each head, as in Qwen3"},
        {QkNorm::whole, "whole", "RMSNorm of all heads together, as in OLMo 2"}};
};

// Says whether a part of the model has biases.
enum class PartBias { as_model, off, on };

template <>
struct ChoiceTable<PartBias> {
    static constexpr Choice<PartBias> values[] = {{PartBias::as_model, "as_model", "as model.bias says"},
                                                  {PartBias::off, "off", "none"},
                                                  {PartBias::on, "on", "biases"}};
};

enum class EmbeddingScale { sqrt_dim, sqrt_dim_fp32, none };

template <>
struct ChoiceTable<EmbeddingScale> {
    static constexpr Choice<EmbeddingScale> values[] = {
        {EmbeddingScale::sqrt_dim, "sqrt_dim", "sqrt(model.dim)"},
        {EmbeddingScale::sqrt_dim_fp32, "sqrt_dim_fp32", "sqrt(model.dim) rounded to fp32, as in Gemma"},
        {EmbeddingScale::none, "none", "1"}};
};

enum class FirstWeights { fairseq, gpt2 };

template <>
struct ChoiceTable<FirstWeights> {
    static constexpr Choice<FirstWeights> values[] = {
        {FirstWeights::fairseq, "fairseq", "the paper's"},
        {FirstWeights::gpt2, "gpt2", "N(0, 0.02), residual projections scaled down with depth"}};
};

enum class Recompute { none, layer };

template <>
struct ChoiceTable<Recompute> {
    static constexpr Choice<Recompute> values[] = {
        {Recompute::none, "none", "nothing"},
        {Recompute::layer, "layer",
         "each layer's activations, which saves memory for a third more computation and gives the same numbers"}};
};

}  // namespace longbow
