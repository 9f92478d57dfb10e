#include "longbow/generate/generate.h"

#include <fmt/core.h>
#include <torch/types.h>

#include <cmath>

#include "longbow/core/error.h"
#include "longbow/core/signals.h"
#include "longbow/core/utf8.h"
#include "longbow/model/output_head.h"
#include "longbow/telemetry/log.h"
#include "sampler.h"
#include "text_stream.h"

namespace longbow {

namespace {

// A prompt starts with a boundary because the model has learned to start at one. A line-based tokenizer also ends its
// output with a boundary; that one is dropped, since the generated text continues the line.
std::vector<TokenId> prompt_ids(const Tokenizer& tokenizer, std::string_view prompt) {
    prompt = without_byte_order_mark(prompt);
    std::vector<TokenId> ids = {tokenizer.boundary()};
    tokenizer.encode(prompt, ids);
    if (tokenizer.boundary_per_line() && ids.size() > 1 && ids.back() == tokenizer.boundary() &&
        !prompt.ends_with('\n')) {
        ids.pop_back();
    }
    return ids;
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
    const auto tokens = static_cast<std::int64_t>(prompt_ids(tokenizer, request.prompt).size());
    const auto limit = model.position().max_length();
    if (limit == 0 || tokens <= limit) return;
    throw UsageError(
        fmt::format("--prompt: {} tokens with the boundary that starts them, but position method \"{}\" ends at {} "
                    "(position.max_length); shorten the prompt",
                    tokens, model.config().position.method, limit));
}

std::string generate(LanguageModel& model, const Tokenizer& tokenizer, const GenerateRequest& request,
                     const std::function<void(const std::string&)>& emit) {
    check_request(request);
    check_prompt(model, tokenizer, request);
    Sampler sampler({request.temperature, request.top_k, request.top_p, request.seed});
    auto fresh = prompt_ids(tokenizer, request.prompt);
    const auto limit = model.position().max_length();
    const torch::NoGradGuard no_grad;
    model.eval();
    KvCache cache;
    TextStream stream(tokenizer, {fresh.begin() + 1, fresh.end()});
    std::string text;
    const auto give = [&](const std::string& piece) {
        text += piece;
        if (emit && !piece.empty()) {
            emit(piece);
        }
    };
    for (std::int64_t made = 0; made < request.max_new_tokens && !stop_requested(); ++made) {
        if (limit > 0 && cache.length + static_cast<std::int64_t>(fresh.size()) > limit) {
            log::warn(fmt::format(
                "stopped after {} new tokens: position method \"{}\" ends at {} tokens (position.max_length)", made,
                model.config().position.method, limit));
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
