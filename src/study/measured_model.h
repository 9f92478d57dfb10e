// What a study must know of a model before it is trained.
#pragma once

#include <cstdint>

#include "longbow/study/study.h"

namespace longbow {

// Checks the model of a variant, and what its evaluations change, on a model without values of weights. Returns the
// longest window that it serves; 0: any. Throws ConfigError or UsageError that begins with the setting.
std::int64_t greatest_length(const StudyVariant& variant, const ConfigContext& context);

// Returns the tokens of a split, as the store says or as the size of the text lets expect.
double split_tokens(const Config& config, const std::string& split);

}  // namespace longbow
