// What a model's closed settings may be. The model room acts on them; config/config.h names the types.
#pragma once

#include "longbow/core/choice.h"

namespace longbow {

enum class Activation { relu, gelu, swiglu };

template <>
struct ChoiceTable<Activation> {
    static constexpr Choice<Activation> values[] = {{Activation::relu, "relu", "max(0, x), the paper's"},
                                                    {Activation::gelu, "gelu", "x Phi(x), by erf"},
                                                    {Activation::swiglu, "swiglu", "x * silu(gate), with a gate projection"}};
};

enum class NormKind { layernorm, rmsnorm };

template <>
struct ChoiceTable<NormKind> {
    static constexpr Choice<NormKind> values[] = {{NormKind::layernorm, "layernorm", "less the mean, over the deviation"},
                                                  {NormKind::rmsnorm, "rmsnorm", "over the root of the mean square; no bias"}};
};

enum class EmbeddingScale { sqrt_dim, none };

template <>
struct ChoiceTable<EmbeddingScale> {
    static constexpr Choice<EmbeddingScale> values[] = {{EmbeddingScale::sqrt_dim, "sqrt_dim", "times the root of model.dim"},
                                                        {EmbeddingScale::none, "none", "as it is"}};
};

enum class FirstWeights { fairseq, gpt2 };

template <>
struct ChoiceTable<FirstWeights> {
    static constexpr Choice<FirstWeights> values[] = {
        {FirstWeights::fairseq, "fairseq", "as the paper's models began"},
        {FirstWeights::gpt2, "gpt2", "N(0, 0.02), residual projections scaled down with depth"}};
};

enum class Recompute { none, layer };

template <>
struct ChoiceTable<Recompute> {
    static constexpr Choice<Recompute> values[] = {{Recompute::none, "none", "activations are kept for the backward pass"},
                                                   {Recompute::layer, "layer", "each layer's are computed again"}};
};

}  // namespace longbow
