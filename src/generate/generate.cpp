#include "longbow/generate/generate.h"

#include <fmt/core.h>
#include <torch/types.h>

#include <cmath>
#include <iterator>

#include "longbow/core/error.h"
#include "longbow/core/signals.h"
#include "longbow/core/utf8.h"
#include "longbow/model/output_head.h"
#include "longbow/position/draw.h"
#include "longbow/telemetry/log.h"
#include "sampler.h"
#include "text_stream.h"

namespace longbow {

namespace {

// The ids that the model continues; the first `added` of them are not the user's.
struct Prompt {
    std::vector<TokenId> ids;
    std::ptrdiff_t added = 0;
};

// A prompt starts with a boundary if the model has learned to start at one. A line-based tokenizer also ends its output
// with a boundary; that one is dropped, since the generated text continues the line.
Prompt prompt_of(const Tokenizer& tokenizer, const GenerateRequest& request) {
    const auto prompt = without_byte_order_mark(request.prompt);
    Prompt made;
    auto& ids = made.ids;
    if (request.boundary_first) ids.push_back(tokenizer.boundary());
    made.added = std::ssize(ids);
    tokenizer.encode(prompt, ids);
    if (tokenizer.boundary_per_line() && ids.size() > 1 && ids.back() == tokenizer.boundary() &&
        !prompt.ends_with('\n')) {
        ids.pop_back();
    }
    if (ids.empty()) return {{tokenizer.boundary()}, 1};
    return made;
}

// Returns the scores [vocab] of the token that follows `ids`, which continue the tokens in the cache.
std::vector<float> next_logits(LanguageModel& model, const std::vector<TokenId>& ids, KvCache& cache) {
    const std::vector<std::int64_t> wide(ids.begin(), ids.end());
    const auto tokens = torch::tensor(wide, torch::kLong).unsqueeze(0);
    const auto last = model.hidden(tokens, &cache).select(1, -1);  // [1, dim]
    const auto logits = model.head().logits(last).to(torch::kCPU, torch::kFloat).contiguous();
    if (!std::isfinite(logits.max().item<float>())) {
        throw Error("the model's scores are not numbers: its training has diverged, or its weights are damaged");
    }
    const auto* data = logits.const_data_ptr<float>();
    return {data, data + logits.numel()};
}

}  // namespace

void check_request(const GenerateRequest& request) {
    check_sampler({request.temperature, request.top_k, request.top_p, request.seed});
    if (request.max_new_tokens < 0) {
        throw UsageError("--max-new-tokens: must be 0 or above, not " + std::to_string(request.max_new_tokens));
    }
    if (const auto fault = utf8_problem(request.prompt); !fault.empty()) throw UsageError("--prompt: " + fault);
}

void check_prompt(LanguageModel& model, const Tokenizer& tokenizer, const GenerateRequest& request) {
    const auto prompt = prompt_of(tokenizer, request);
    const auto tokens = static_cast<std::int64_t>(prompt.ids.size());
    const auto limit = model.position().max_length();
    if (limit == 0 || tokens <= limit) return;
    throw UsageError(
        fmt::format("--prompt: {} tokens{}, but position method \"{}\" ends at {} ({}); shorten the prompt", tokens,
                    prompt.added > 0 ? " with the boundary that starts them" : "",
                    model.config().position.method_names(), limit, length_limit_key(model.config().position)));
}

std::string generate(LanguageModel& model, const Tokenizer& tokenizer, const GenerateRequest& request,
                     const std::function<void(const std::string&)>& emit) {
    check_request(request);
    check_prompt(model, tokenizer, request);
    Sampler sampler({request.temperature, request.top_k, request.top_p, request.seed});
    auto [fresh, added] = prompt_of(tokenizer, request);
    const auto limit = model.position().max_length();
    const torch::NoGradGuard no_grad;
    model.eval();
    KvCache cache;
    // It is fixed for the whole generation, because keys stay in the cache as they were computed.
    cache.evaluated_length = static_cast<std::int64_t>(fresh.size()) + request.max_new_tokens;
    TextStream stream(tokenizer, {fresh.begin() + added, fresh.end()});
    std::string text;
    const auto give = [&](const std::string& piece) {
        text += piece;
        if (emit && !piece.empty()) {
            emit(piece);
        }
    };
    for (std::int64_t made = 0; made < request.max_new_tokens && !stop_requested(); ++made) {
        if (limit > 0 && cache.length + static_cast<std::int64_t>(fresh.size()) > limit) {
            log::warn(fmt::format("stopped after {} new tokens: position method \"{}\" ends at {} tokens ({})", made,
                                  model.config().position.method_names(), limit,
                                  length_limit_key(model.config().position)));
            break;
        }
        const auto id = static_cast<TokenId>(sampler.next(next_logits(model, fresh, cache)));
        if (request.stop_at_boundary && id == tokenizer.boundary()) {
            break;
        }
        give(stream.add(id));
        fresh = {id};
    }
    give(stream.finish());
    return text;
}

}  // namespace longbow
