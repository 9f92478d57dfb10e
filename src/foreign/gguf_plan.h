// An architecture of llama.cpp as a configuration of ours.
#pragma once

#include <string>
#include <vector>

#include "gguf_architecture.h"

namespace longbow {

struct GgufFit {
    const GgufArchitecture* architecture = nullptr;
    Config ours;    // without what an export puts into the weights: factors on scores and on the embedding
    Config theirs;  // the nearest that the architecture computes: what an import of the file gives
    // Settings of ours that it does not have. Empty: it computes the same.
    std::vector<std::string> in_the_way;
};

// `ours` is resolved_for_export() of a configuration.
GgufFit fit_to_gguf(const GgufArchitecture& architecture, const Config& ours);

}  // namespace longbow
