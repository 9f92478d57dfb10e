#include "update.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/api/include/torch/utils.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "longbow/core/random.h"
#include "longbow/model/autocast.h"
#include "longbow/model/output_head.h"
#include "longbow/optim/schedule.h"
#include "loss_scale.h"
#include "session.h"

namespace longbow {

namespace {

// The loss of one micro-batch, summed over its tokens, times `scale`.
at::Tensor micro_batch_loss(Session& session, const std::vector<Block>& blocks, double scale) {
    const auto& config = session.config.train;
    const auto rows = static_cast<std::int64_t>(blocks.size());
    auto inputs = at::empty({rows, config.length}, at::kLong);
    auto targets = at::empty({rows, config.length}, at::kLong);
    fill_batch(*session.train, blocks, config.length, inputs.mutable_data_ptr<std::int64_t>(), targets.mutable_data_ptr<std::int64_t>());
    inputs = inputs.to(session.device);
    targets = targets.view({-1});
    const AutocastScope autocast(session.device.type(), dtype_from(config.dtype));
    auto hidden = session.model->hidden(inputs);  // [rows, length, dim]
    hidden = hidden.view({-1, hidden.size(-1)});
    // A short block leaves places without a target at the end of its row, where they can change nothing before them.
    if (std::any_of(blocks.begin(), blocks.end(), [&](const Block& block) { return block.length < config.length; })) {
        const auto places = targets.ne(kNoTarget).nonzero().squeeze(1);
        targets = targets.index_select(0, places);
        hidden = hidden.index_select(0, places.to(session.device));
    }
    return session.model->head().loss(hidden, targets.to(session.device), scale);
}

void multiply_gradients(const std::vector<at::Tensor>& parameters, double factor) {
    std::vector<at::Tensor> gradients;
    for (const auto& parameter : parameters) {
        if (parameter.grad().defined()) gradients.push_back(parameter.grad());
    }
    at::_foreach_mul_(gradients, factor);
}

}  // namespace

UpdateResult run_update(Session& session) {
    const auto start = std::chrono::steady_clock::now();
    const auto& config = session.config;
    auto& state = session.state;
    UpdateResult result;
    result.lr = learning_rate(config.schedule, config.optim.lr, session.counted_updates(), session.warmup, state.schedule_period);

    std::vector<std::vector<Block>> micro_batches;
    std::int64_t samples = 0;
    for (std::int64_t micro = 0; micro < config.train.accumulate; ++micro) {
        auto blocks = session.order->micro_batch({state.updates, state.samples}, micro);
        if (blocks.empty()) continue;  // the end of an epoch
        samples += static_cast<std::int64_t>(blocks.size());
        for (const auto& block : blocks) result.tokens += block.length;
        micro_batches.push_back(std::move(blocks));
    }
    prefetch_update(*session.train, *session.order, {state.updates + 1, state.samples + samples}, config.train.accumulate);

    // The loss is the mean over all tokens of the update, whatever the micro-batches. The loss scale multiplies that, or the sum, whose
    // tokens are then divided out after the backward pass.
    const auto tokens = static_cast<double>(result.tokens);
    const double divided_after = config.train.dtype == "fp16" && config.train.scaled_loss == "sum" ? tokens : 1.0;
    const double scale = state.loss_scale / (tokens / divided_after);
    for (const auto& parameter : session.parameters) parameter.mutable_grad() = at::Tensor();
    at::Tensor loss;
    for (std::size_t micro = 0; micro < micro_batches.size(); ++micro) {
        torch::manual_seed(seed_of(config.train.seed, state.updates, micro, /*rank=*/0));
        const auto part = micro_batch_loss(session, micro_batches[micro], scale);
        part.backward();
        const auto value = part.detach().to(at::kDouble);
        loss = loss.defined() ? loss + value : value;
    }

    const at::NoGradGuard no_grad;
    if (state.loss_scale * divided_after != 1.0) multiply_gradients(session.parameters, 1 / (state.loss_scale * divided_after));
    const auto norm = gradient_norm(session.parameters);
    // Beside the counts of an adaptive model's bands, the one time an update waits for the device: both numbers together.
    const auto numbers = at::stack({loss, norm.to(at::kDouble)}).cpu();
    result.nll = numbers.const_data_ptr<double>()[0] / scale;
    result.grad_norm = numbers.const_data_ptr<double>()[1];
    result.skipped = !std::isfinite(result.nll) || !std::isfinite(result.grad_norm);
    if (!result.skipped) {
        if (config.optim.clip_norm > 0) clip_gradients(session.parameters, norm, config.optim.clip_norm);
        session.optimizer->step(result.lr);
    }

    if (config.train.dtype == "fp16") {
        const auto next = next_loss_scale({state.loss_scale, state.good_updates}, result.skipped, config.train.loss_scale_window);
        state.loss_scale = next.scale;
        state.good_updates = next.good_updates;
    }
    state.updates += 1;
    state.samples += samples;
    state.tokens += result.tokens;
    state.optimizer_steps = session.optimizer->steps();
    state.bad_updates = result.skipped ? state.bad_updates + 1 : 0;
    state.skipped_updates += result.skipped ? 1 : 0;
    if (!result.skipped) {
        state.interval_nll += result.nll;
        state.interval_tokens += result.tokens;
    }
    state.train_seconds = session.seconds();
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return result;
}

}  // namespace longbow
