// Perplexity of a model on a token stream by a protocol's windows.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "longbow/core/json.h"
#include "longbow/data/token_store.h"
#include "longbow/eval/eval_plan.h"
#include "longbow/model/language_model.h"

namespace longbow {

struct EvalRequest {
    std::string protocol = "paper";
    std::int64_t length = 0;
    std::int64_t stride = 0;
    bool within_documents = false;
    std::int64_t max_batch_tokens = 16384;  // input tokens a forward pass
    std::int64_t max_stream_tokens = 0;     // first N targets; 0: all
    std::string dtype = "fp32";             // fp64 | fp32 | bf16 | fp16 compute
};

// One row of results.jsonl. Losses are sums in fp64 of per-token fp32 values, in stream order.
struct EvalResult {
    std::string position, protocol, split;
    std::int64_t train_length = 0, length = 0, stride = 0, tokens = 0, windows = 0;
    double nll = 0;                         // mean, nats a token
    double ppl = 0;
    double ppl_low = 0, ppl_high = 0;       // 95 %, 1,000 bootstrap resamples of blocks of 1,024 consecutive targets, seed 1
    double bits_per_byte = 0, words = 0, ppl_per_word = 0;
    std::vector<double> nll_by_position;    // mean at each position of the window (log-spaced buckets beyond 64; see .cpp)
    double tokens_per_second = 0, peak_memory_mb = 0;
    std::string checkpoint, data, tokenizer, config;  // fingerprints
    std::string name;                       // run's name, for tables
    std::uint64_t seed = 0;
    std::int64_t updates = 0;
};
Json to_json(const EvalResult& result);
EvalResult eval_result_from_json(const Json& json, const std::string& where);

// Per-token nll in stream order of scored targets, fp32. Progress on stderr under `label`; stops with InterruptedError on a signal
// after `partial` (when given) stored what is done; a later call with the same partial file goes on from there.
std::vector<float> evaluate_tokens(LanguageModel& model, const TokenStream& stream, const EvalRequest& request, const std::string& label = "",
                                   const std::filesystem::path& partial = {});

// Statistics of evaluate_tokens' output; fills everything that needs no model.
EvalResult summarise(const std::vector<float>& nll, const TokenStream& stream, const EvalRequest& request);

// Refuses a length that the model cannot serve (UsageError naming its limit) before any work.
void check_length(LanguageModel& model, std::int64_t length);

// Paired block bootstrap of two nll series over the same targets: mean difference with its 95 % interval and p-value.
struct Comparison {
    double difference = 0, low = 0, high = 0, p_value = 0;
};
Comparison compare_paired(const std::vector<float>& a, const std::vector<float>& b, std::uint64_t seed = 1);

}  // namespace longbow
