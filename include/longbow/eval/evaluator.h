// Measures a model's perplexity on a token stream, in the windows of a protocol.
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
    std::int64_t max_batch_tokens = 16384;  // input tokens of a forward pass
    DType dtype = DType::fp32;              // of the computation
};

// Returns the stride in tokens, with the protocol's default filled in. Throws UsageError for an unknown protocol.
std::int64_t stride_of(const EvalRequest& request);
// Copies the request's settings, with its stride resolved, into the measurement that it makes.
void take_settings(Measurement& measurement, const EvalRequest& request);

// Returns the request for the windows of a stream of so many tokens whose documents do not matter.
EvalPlanRequest plan_request(const EvalRequest& request, std::int64_t tokens);
// Returns the request for this stream's windows: within its documents if wanted, and of its first max_stream_tokens.
EvalPlanRequest plan_request(const TokenStream& stream, const EvalRequest& request);

// Describes one evaluation of a stream. Its windows are planned once and shared by the code that counts, times, scores
// and summarises them.
struct EvalPlan {
    EvalRequest request;
    std::vector<EvalWindow> windows;
    std::int64_t longest_window = 0;            // tokens
    std::int64_t documents_left_out = 0;        // shorter than request.min_document_tokens
    [[nodiscard]] std::int64_t scored() const;  // number of targets
};
// Throws what plan_windows() throws.
EvalPlan plan_evaluation(const TokenStream& stream, const EvalRequest& request);

// Caches the plans of a command, so that runs that are measured alike on one stream share them. Streams must outlive
// this object; returned references stay valid.
class EvalPlans {
public:
    const EvalPlan& of(const TokenStream& stream, const EvalRequest& request);

private:
    std::map<std::pair<const TokenStream*, std::string>, EvalPlan> plans_;
};

// Counts what evaluate_tokens() did, for tokens_per_second. A resumed evaluation counts only what this call computed.
struct EvalTiming {
    double seconds = 0;
    std::int64_t tokens = 0;  // scored by this call
    // Share of attention's blocks visited when far ones are skipped, measured on the first batch.
    double visited_fraction = 1;
    std::string rounded_bias = {};  // the type to which attention rounded its bias; empty: it did not
};

// Says which of an evaluation's batches this rank computes, and how the ranks combine their results. Batches are the
// same whatever the number of ranks, and each goes to one rank (batch i to rank i mod world), so that every token's nll
// has the same bits as in one process. Sums over tokens are computed from the combined losses in stream order, in fp64.
struct EvalShare {
    int rank = 0, world = 1;
    // Computes a logical "or" over the ranks; all of them call it.
    std::function<bool(bool)> any = [](bool value) { return value; };
    std::function<void(std::vector<double>&)> sum = [](std::vector<double>&) {};
    std::function<std::string(const std::string&)> from_leader = [](const std::string& value) { return value; };
    std::function<void()> progress = [] {};  // called at each batch
};
EvalShare evaluation_share(Communicator& ranks);

// Options of an evaluation beside what it measures.
struct EvalOptions {
    std::string label = {};  // for messages and the progress line; empty: neither is shown
    // The progress line of a command of which this evaluation is a part, in units of evaluation_flops(); nullptr: it
    // has its own.
    WorkProgress* whole = nullptr;
    // File in which losses are saved every minute and when a signal asks to stop; empty: none.
    std::filesystem::path partial = {};
    // Keep `partial` after the last batch too, for a caller that needs more than this evaluation and removes the file
    // itself.
    bool keep_partial = false;
    EvalTiming* timing = nullptr;
    EvalShare share = {};
};

// Returns the per-token nll (nats) of the scored targets in stream order. They have the values of fp32 numbers, or with
// the compute dtype fp64 those of fp64 numbers. On a signal it saves to `partial` and throws InterruptedError. A later
// call with the same file resumes from it, with the same bits as an uninterrupted one; a file of other weights, data or
// settings, as its header says, is ignored. The model runs in evaluation mode without gradients, and its mode is
// restored. The compute dtype fp64 needs fp64 weights (model.to(torch::kFloat64)).
std::vector<double> evaluate_tokens(LanguageModel& model, const TokenStream& stream, const EvalPlan& plan,
                                    const EvalOptions& options = {});

// Returns the windows that go through the model, in the order of their targets: merge_windows(), or the windows
// themselves if the model's position method depends on their length. Batches have windows of one length in any case.
std::vector<EvalWindow> forward_windows(const LanguageModel& model, const std::vector<EvalWindow>& windows);

// Returns the FLOPs of the windows' forward passes (flops.h), to weigh evaluations against each other before they run.
// `merged` says whether windows are merged, as they are unless the position method depends on their length.
double evaluation_flops(const Config& config, std::int64_t vocab_size, const std::vector<EvalWindow>& windows,
                        bool merged = true);

// Returns the mean in nats a token, summed in stream order in fp64.
double mean_nll(const std::vector<double>& nll);

// Computes the statistics of evaluate_tokens()'s output. Fills all fields that need no model into `row`, which says
// which model was measured.
EvalResult summarise(const std::vector<double>& nll, const TokenStream& stream, const EvalPlan& plan,
                     EvalResult row = {});

// Throws UsageError that names the limit if a model of this configuration cannot serve the length, because its position
// method ends at `limit` (0: it has no end).
void check_length(const Config& config, std::int64_t limit, std::int64_t length);
void check_length(LanguageModel& model, std::int64_t length);

}  // namespace longbow
