#include "score.h"

#include <torch/types.h>

#include <algorithm>

#include "longbow/model/output_head.h"

namespace longbow {

std::vector<EvalBatch> make_batches(const std::vector<EvalWindow>& windows, std::int64_t max_tokens) {
    std::vector<EvalBatch> batches;
    for (std::size_t i = 0; i < windows.size(); ++i) {
        const auto inputs = windows[i].end - windows[i].begin;
        const auto scored = windows[i].end - windows[i].score_begin;
        if (!batches.empty()) {
            auto& last = batches.back();
            const auto grown = static_cast<std::int64_t>(last.count + 1) * inputs;
            if (last.inputs == inputs && last.scored == scored && grown <= max_tokens) {
                ++last.count;
                continue;
            }
        }
        batches.push_back({i, 1, inputs, scored});
    }
    return batches;
}

std::int64_t unscored_inputs(LanguageModel& model, const EvalPlan& plan) {
    return model.position().depends_on_length() && protocol_named(plan.request.protocol).passes_last_token ? 1 : 0;
}

void score_batch(LanguageModel& model, const TokenStream& stream, const std::vector<EvalWindow>& windows,
                 const EvalBatch& batch, double* out, std::int64_t unscored) {
    const auto count = static_cast<std::int64_t>(batch.count);
    const auto length = batch.inputs + unscored;
    auto inputs = torch::empty({count, length}, torch::kInt64);
    auto targets = torch::empty({count, batch.scored}, torch::kInt64);
    for (std::int64_t row = 0; row < count; ++row) {
        const auto& window = windows[batch.first + static_cast<std::size_t>(row)];
        auto* in = inputs.data_ptr<std::int64_t>() + row * length;
        read_inputs(stream, window.begin, length, in);
        if (window.boundary_first) in[0] = stream.boundary();
        stream.read(window.score_begin, batch.scored, targets.data_ptr<std::int64_t>() + row * batch.scored);
    }
    auto hidden = model.hidden(inputs);  // [count, length, dim]
    hidden = hidden.slice(1, batch.inputs - batch.scored, batch.inputs);
    hidden = hidden.reshape({-1, hidden.size(2)});  // [count * scored, dim]
    auto nll = model.head().nll(hidden, targets.view({-1})).contiguous();
    if (nll.scalar_type() != torch::kFloat64) nll = nll.to(torch::kFloat32);
    // A GPU copies to pinned memory without a second copy on the host.
    auto losses = torch::empty(nll.sizes(), nll.options().device(torch::kCPU).pinned_memory(nll.is_cuda()));
    losses.copy_(nll);
    if (losses.scalar_type() == torch::kFloat64)
        std::copy_n(losses.const_data_ptr<double>(), losses.numel(), out);
    else
        std::copy_n(losses.const_data_ptr<float>(), losses.numel(), out);
}

}  // namespace longbow
