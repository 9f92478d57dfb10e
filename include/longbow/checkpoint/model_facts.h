// What can be said of a model before it is measured, whether it is a run of ours or a public model. Nothing is imported
// for it and no weights are read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "longbow/config/config.h"
#include "longbow/text/bos.h"

namespace longbow {

struct ModelFacts {
    Config config;  // its train.length is 0 if the model's files do not say it
    std::int64_t vocab_size = 0;
    std::int64_t max_length = 0;  // the longest window that its position method serves; 0: any
    std::optional<Bos> bos;       // LoadedCheckpoint::bos
    std::string family;           // of a public model: "GPT-NeoX, Pythia"; else empty
    // Where programs differ in what a public model computes: what was taken here; else empty.
    std::string definition;
    // Stands for the weights and all that is read with them: two models with the same key are the same.
    std::string key;
};

// Throws as resolve_checkpoint() does, and what an import would throw that does not depend on the weights' values.
ModelFacts model_facts(const std::string& text);

}  // namespace longbow
