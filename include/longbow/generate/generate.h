// Text from a model: greedy, temperature, top-k, top-p, seeded, with a key-value cache.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "longbow/model/language_model.h"
#include "longbow/text/tokenizer.h"

namespace longbow {

struct GenerateRequest {
    std::string prompt;
    std::int64_t max_new_tokens = 100;
    double temperature = 1.0;  // 0: greedy
    std::int64_t top_k = 0;    // 0: all
    double top_p = 1.0;
    std::uint64_t seed = 1;
    bool stop_at_boundary = true;
};

// `emit` gets each piece of text as it is complete (whole UTF-8 characters). Returns the continuation.
std::string generate(LanguageModel& model, const Tokenizer& tokenizer, const GenerateRequest& request,
                     const std::function<void(const std::string&)>& emit = {});

}  // namespace longbow
