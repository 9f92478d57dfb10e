// Perplexity of the tokens for which a long context matters, as another model judges it (LongPPL: Fang et al. 2025,
// "What is Wrong with Perplexity for Long-context Language Modeling?").
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "longbow/data/token_store.h"
#include "longbow/model/language_model.h"
#include "longbow/probe/probe_row.h"

namespace longbow {

// A key token is one that the evaluator predicts better by more than kKeyGain nats from a long context than from a
// short one, and whose loss from the long one is below kKeyLoss. Both are the paper's.
inline constexpr double kKeyGain = 2.0, kKeyLoss = 2.0;

// Contexts in tokens. Windows slide by `stride`, so that a target has up to `stride` - 1 tokens less before it.
struct KeyWindows {
    std::int64_t shorter = 0, longer = 0, stride = 0;
    std::int64_t max_stream_tokens = 0;  // only the stream's first tokens; 0: all
    bool operator==(const KeyWindows&) const = default;
};

// Returns whether each target of the stream is a key token. Targets without a full long context are none.
std::vector<bool> key_tokens(const std::vector<double>& shorter, const std::vector<double>& longer,
                             const KeyWindows& windows);

// Returns the loss of each target from windows of `length` that slide by windows.stride.
std::vector<double> sliding_losses(LanguageModel& model, const TokenStream& stream, std::int64_t length,
                                   const KeyWindows& windows, DType dtype, const ProbeOptions& options);

// Completes `row` with the perplexity of the key tokens and its interval over blocks of 1,024 consecutive targets.
Json key_row(Json row, const std::vector<double>& nll, const std::vector<bool>& keys, const KeyWindows& windows);

// Fills in what is 0: `shorter` is the run's trained length, `longer` the evaluator's, the stride a quarter of
// `shorter`. Throws UsageError if the evaluator is the run itself or has another tokenizer, if one of the two cannot
// take the windows, and if the long context is not longer than the short one by a stride at least.
KeyWindows windows_of(const MeasuredRun& run, const MeasuredRun& evaluator, KeyWindows windows);

std::string key_table(const std::vector<Json>& rows, int width);

}  // namespace longbow
