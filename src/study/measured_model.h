// What a study must know of a model before it is trained.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "longbow/study/study.h"

namespace longbow {

// The model of a variant, as its evaluations change it.
struct MeasuredModel {
    std::int64_t max_length = 0;  // of the windows that it serves; 0: any
    bool attends = false;         // whether its position method computes attention itself in a layer
};

// Checks the model of a variant on one without values of weights. Throws ConfigError or UsageError that begins with the
// setting.
MeasuredModel measured_model(const StudyVariant& variant, const ConfigContext& context);

// Returns the lengths in tokens, and after them the multiples of a trained length, rounded down.
std::vector<std::int64_t> in_tokens(std::vector<std::int64_t> lengths, const std::vector<double>& multiples,
                                    std::int64_t train_length);

// Returns the tokens of a split, as the store says or as the size of the text lets expect.
double split_tokens(const Config& config, const std::string& split);

}  // namespace longbow
