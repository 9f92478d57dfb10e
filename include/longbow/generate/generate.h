// Text from a model: greedy, temperature, top-k, top-p, seeded, with a key-value cache.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "longbow/model/language_model.h"
#include "longbow/text/tokenizer.h"

namespace longbow {

struct GenerateRequest {
    std::string prompt;  // UTF-8; a byte order mark in front of it is no part of it
    std::int64_t max_new_tokens = 100;
    double temperature = 1.0;  // 0: greedy
    std::int64_t top_k = 0;    // 0: all
    double top_p = 1.0;
    std::uint64_t seed = 1;
    bool stop_at_boundary = true;
};

// Refuse what generate() cannot do, before any work: numbers out of range and a prompt that is no UTF-8, and, given the model, a prompt that
// its position method does not reach over. Throw UsageError.
void check_request(const GenerateRequest& request);
void check_prompt(LanguageModel& model, const Tokenizer& tokenizer, const GenerateRequest& request);

// `emit` gets each piece of text as it is complete (whole UTF-8 characters). Returns the continuation.
std::string generate(LanguageModel& model, const Tokenizer& tokenizer, const GenerateRequest& request,
                     const std::function<void(const std::string&)>& emit = {});

}  // namespace longbow
