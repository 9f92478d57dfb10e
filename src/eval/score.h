// Scores a batch of windows of equal shape with a model. An evaluation repeats this until all targets are scored.
#pragma once

#include <torch/nn/module.h>

#include <cstdint>
#include <vector>

#include "longbow/data/token_store.h"
#include "longbow/eval/evaluator.h"
#include "longbow/model/language_model.h"

namespace longbow {

struct EvalBatch {
    std::size_t first, count;     // windows: index of the first, and how many
    std::int64_t inputs, scored;  // of each window
};

// Groups neighbouring windows of equal shape, as many as fit into max_tokens inputs (at least one).
std::vector<EvalBatch> make_batches(const std::vector<EvalWindow>& windows, std::int64_t max_tokens);

// Returns how many inputs behind its own each window has: 1 if the position method depends on their number and the
// protocol's tool passes a window's last token too (EvalProtocol::passes_last_token), else 0.
std::int64_t unscored_inputs(LanguageModel& model, const EvalPlan& plan);

// Writes one batch's losses to `out` (count * scored values). Those of an fp64 model are fp64, others fp32 numbers.
// Each window gets `unscored` more inputs than batch.inputs, from the stream; nothing is predicted from them.
void score_batch(LanguageModel& model, const TokenStream& stream, const std::vector<EvalWindow>& windows,
                 const EvalBatch& batch, double* out, std::int64_t unscored = 0);

// Sets a module to evaluation mode during its lifetime and then restores the mode.
class ModeScope {
public:
    explicit ModeScope(torch::nn::Module& module) : module_(module), training_(module.is_training()) { module_.eval(); }
    ~ModeScope() { module_.train(training_); }
    ModeScope(const ModeScope&) = delete;
    ModeScope& operator=(const ModeScope&) = delete;

private:
    torch::nn::Module& module_;
    bool training_;
};

}  // namespace longbow
