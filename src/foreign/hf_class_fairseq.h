// What the two classes of transformers have in common that took fairseq's decoder over: XGLM and BioGPT.
#pragma once

#include "hf_class.h"

namespace longbow {

// Norms with an epsilon of 1e-5, which no key changes, biases everywhere, and the scale of the embedding that ours has.
void settle_as_fairseq(const Config& ours, Config& theirs);
// Layers and final norm.
void place_as_fairseq(const HfSettings& theirs, TensorRules& rules);

}  // namespace longbow
