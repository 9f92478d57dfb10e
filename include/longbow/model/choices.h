// Defines the values of `model`'s closed settings. config/config.h includes this file, so it includes core/choice.h
// alone; the model room acts on the values.
#pragma once

#include "longbow/core/choice.h"

namespace longbow {

enum class Activation { relu, gelu, swiglu };

template <>
struct ChoiceTable<Activation> {
    static constexpr Choice<Activation> values[] = {
        {Activation::relu, "relu", "max(0, x), the paper's"},
        {Activation::gelu, "gelu", "x Phi(x), by erf"},
        {Activation::swiglu, "swiglu", "x * silu(gate), with a gate projection"}};
};

enum class NormKind { layernorm, rmsnorm };

template <>
struct ChoiceTable<NormKind> {
    static constexpr Choice<NormKind> values[] = {
        {NormKind::layernorm, "layernorm", "mean and variance, with a weight and (model.bias) a bias"},
        {NormKind::rmsnorm, "rmsnorm", "root mean square, with a weight"}};
};

enum class EmbeddingScale { sqrt_dim, none };

template <>
struct ChoiceTable<EmbeddingScale> {
    static constexpr Choice<EmbeddingScale> values[] = {{EmbeddingScale::sqrt_dim, "sqrt_dim", "sqrt(model.dim)"},
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
