// Perplexity of a model on a token stream by a protocol's windows.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "longbow/data/token_store.h"
#include "longbow/dist/communicator.h"
#include "longbow/eval/eval_plan.h"
#include "longbow/eval/eval_result.h"
#include "longbow/model/language_model.h"
#include "longbow/telemetry/progress.h"

namespace longbow {

struct EvalRequest : EvalSettings {
    std::int64_t max_batch_tokens = 16384;  // input tokens a forward pass
    DType dtype = DType::fp32;              // of the computation
};

// The stride in tokens, also where the request leaves it to its protocol. Throws UsageError on an unknown protocol.
std::int64_t stride_of(const EvalRequest& request);
// Writes how a request scores into the measurement that it makes.
void take_settings(Measurement& measurement, const EvalRequest& request);

// The windows that the request means on this stream (within its documents, of its first max_stream_tokens).
EvalPlanRequest plan_request(const TokenStream& stream, const EvalRequest& request);

// One evaluation of a stream: its windows are planned once, and handed on to what counts, times, scores and summarises them.
struct EvalPlan {
    EvalRequest request;
    std::vector<EvalWindow> windows;
    std::int64_t longest_window = 0;            // tokens
    [[nodiscard]] std::int64_t scored() const;  // targets
};
// Throws what plan_windows() throws.
EvalPlan plan_evaluation(const TokenStream& stream, const EvalRequest& request);

// The plans of a command, so that runs that are measured alike on one stream share them. Streams must outlive it; what it returns stays.
class EvalPlans {
public:
    const EvalPlan& of(const TokenStream& stream, const EvalRequest& request);

private:
    std::map<std::pair<const TokenStream*, std::string>, EvalPlan> plans_;
};

// What evaluate_tokens did, for tokens_per_second (a resumed evaluation counts what this call computed).
struct EvalTiming {
    double seconds = 0;
    std::int64_t tokens = 0;      // scored by this call
    double visited_fraction = 1;  // of attention's blocks, where far ones are skipped; over the first batch
};

// A part of an evaluation's batches, and how the parts come together. Batches are the same whatever the number of ranks, and dealt out whole
// (batch i to rank i mod world), so that every token's nll has the same bits as in one process; sums over tokens are made from the whole
// in stream order, in fp64.
struct EvalShare {
    int rank = 0, world = 1;
    std::function<bool(bool)> any = [](bool mine) { return mine; };  // over ranks, by all of them
    std::function<void(std::vector<float>&)> sum = [](std::vector<float>&) {};
    std::function<std::string(const std::string&)> from_leader = [](const std::string& mine) { return mine; };
    std::function<void()> progress = [] {};  // called at each batch
};
EvalShare evaluation_share(Communicator& ranks);

// What goes on beside an evaluation.
struct EvalOptions {
    std::string label = {};              // of messages and the progress line; empty: there are none
    WorkProgress* whole = nullptr;       // the line of a command of which this is a part, by evaluation_flops(); else it has its own
    std::filesystem::path partial = {};  // where what is done is kept: every minute, and when a signal asks to stop
    bool keep_partial = false;           // also once all is done, for a caller that needs more than this evaluation and removes it then
    EvalTiming* timing = nullptr;
    EvalShare share = {};
};

// Per-token nll in stream order of scored targets, fp32. Stops with InterruptedError on a signal after `partial` stored what is done; a
// later call with the same partial file goes on from there (its header says what it belongs to: other weights, data or settings start
// anew), with the same bits as an uninterrupted one. Evaluation mode, no gradients; the model's mode is put back. The compute dtype fp64
// needs fp64 weights (model.to(torch::kFloat64)).
std::vector<float> evaluate_tokens(LanguageModel& model, const TokenStream& stream, const EvalPlan& plan, const EvalOptions& options = {});

// What the windows cost (flops.h): how evaluations weigh beside each other before any is done.
double evaluation_flops(const Config& config, std::int64_t vocab_size, const std::vector<EvalWindow>& windows);

// Statistics of evaluate_tokens' output; fills everything that needs no model into `row`, which says whose they are.
EvalResult summarise(const std::vector<float>& nll, const TokenStream& stream, const EvalPlan& plan, EvalResult row = {});

// Refuses a length that the model cannot serve (UsageError naming its limit) before any work.
void check_length(LanguageModel& model, std::int64_t length);

}  // namespace longbow
