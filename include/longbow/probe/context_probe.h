// Measures how much of its context a model uses: the loss of the same targets from contexts of different lengths.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "longbow/data/token_store.h"
#include "longbow/model/language_model.h"
#include "longbow/probe/probe_row.h"

namespace longbow {

// Contexts whose loss is at most this much above that of the longest one count as as good, in nats.
inline constexpr double kContextTolerance = 0.01;
inline constexpr int kContextGenerator = 1;  // version of what draws the targets

// Returns `count` targets of the stream, by the seed, each with at least `context` tokens before it, in ascending
// order. Throws UsageError if the stream is too short.
std::vector<std::int64_t> context_targets(const TokenStream& stream, std::int64_t context, const ProbeOptions& options);

// Returns the losses in nats of the targets, each from the `context` tokens before it and no others.
std::vector<double> context_losses(LanguageModel& model, const TokenStream& stream,
                                   const std::vector<std::int64_t>& targets, std::int64_t context, DType dtype,
                                   std::int64_t max_batch_tokens);

struct ContextLoss {
    std::int64_t context = 0;
    std::vector<double> nll;  // of each target
};
// Summarises losses, whose contexts ascend, in one row: for each context the mean loss, and the gain over the trained
// length, which is the mean of nll(train_length) - nll(context), with its interval over targets. Then the smallest
// context whose mean loss is within kContextTolerance of the longest one's, and the smallest that is so up to the upper
// end of the difference's interval. `row` is what probe_row() gave.
Json context_row(Json row, const std::vector<ContextLoss>& losses, std::int64_t train_length);

// Measures a run on a stream. `contexts` are tokens; empty: an eighth to eight times the trained length in powers of 2.
// The trained length is among them in any case.
std::vector<Json> probe_context(MeasuredRun& run, LanguageModel& model, const TokenStream& stream,
                                std::vector<std::int64_t> contexts, const ProbeOptions& options);
// Returns the contexts that a run is measured at. Throws UsageError if its trained length is unknown or its position
// method does not serve one.
std::vector<std::int64_t> contexts_of(const MeasuredRun& run, std::vector<std::int64_t> contexts);

std::string context_table(const std::vector<Json>& rows, int width);

}  // namespace longbow
