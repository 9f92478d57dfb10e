// What the classes have in common that are built like Llama: a gated feed-forward layer, heads of keys of another
// number, and Llama's names of tensors.
#pragma once

#include "hf_class.h"

namespace longbow {

// Sizes, RMSNorm and the gated activation. `biases`: there are switches for those of attention and feed-forward layer.
void settle_as_llama(const Config& ours, Config& theirs, bool biases);
void place_as_llama(const HfSettings& theirs, TensorRules& rules);
// The keys of the sizes, the activation and RMSNorm.
void describe_as_llama(const Config& theirs, Json& json);

}  // namespace longbow
