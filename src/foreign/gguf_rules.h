// Where the tensors of a model are in a GGUF file, of any architecture.
#pragma once

#include "hf_family.h"

namespace longbow {

struct GgufLayout {
    bool fused = false;      // q, k and v are one matrix
    bool two_norms = false;  // Falcon 40B, whose first norm is the feed-forward layer's
};

// Lists all tensors of a model with such settings, embedding and head too, in the order of an export.
TensorRules gguf_rules(const HfSettings& settings, const GgufLayout& layout);

}  // namespace longbow
