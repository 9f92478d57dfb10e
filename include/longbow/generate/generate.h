// Generates text from a model: greedily or with temperature, top-k and top-p, from a seed, with a key-value cache.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "longbow/model/language_model.h"
#include "longbow/text/tokenizer.h"

namespace longbow {

struct GenerateRequest {
    std::string prompt;  // UTF-8; a leading byte order mark is dropped
    std::int64_t max_new_tokens = 100;
    double temperature = 1.0;  // 0: greedy
    std::int64_t top_k = 0;    // 0: all tokens
    double top_p = 1.0;
    std::uint64_t seed = 1;
    bool stop_at_boundary = true;
    // Whether a boundary precedes the prompt, as it does in what Longbow's models are trained on. Some families of
    // other programs have none there; an empty prompt is a boundary nevertheless.
    bool boundary_first = true;
};

// Refuse what generate() cannot do, before any work. check_request() refuses numbers out of range and a prompt that is
// not UTF-8; check_prompt() refuses a prompt that is longer than the model's position method serves. Both throw
// UsageError.
void check_request(const GenerateRequest& request);
void check_prompt(LanguageModel& model, const Tokenizer& tokenizer, const GenerateRequest& request);

// Returns the continuation without the prompt. `emit` receives each piece of it as soon as the piece is whole UTF-8
// characters.
std::string generate(LanguageModel& model, const Tokenizer& tokenizer, const GenerateRequest& request,
                     const std::function<void(const std::string&)>& emit = {});

}  // namespace longbow
