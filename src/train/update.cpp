#include "update.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/api/include/torch/utils.h>

#include <cmath>

#include "longbow/core/random.h"
#include "longbow/model/autocast.h"
#include "longbow/model/output_head.h"
#include "longbow/optim/schedule.h"
#include "loss_scale.h"
#include "session.h"

namespace longbow {

namespace {

// Forward and backward of one micro-batch; returns the sum of its nll times `scale`, without gradient.
at::Tensor micro_batch(Session& session, std::int64_t first_sample, double scale) {
    const auto& config = session.config.train;
    auto inputs = at::empty({config.batch, config.length}, at::kLong);
    auto targets = at::empty({config.batch, config.length}, at::kLong);
    fill_batch(*session.train, *session.order, first_sample, config.batch, inputs.mutable_data_ptr<std::int64_t>(),
               targets.mutable_data_ptr<std::int64_t>());
    inputs = inputs.to(session.device);
    targets = targets.to(session.device).view({-1});
    at::Tensor loss;
    {
        const AutocastScope autocast(session.device.type(), dtype_from(config.dtype));
        const auto hidden = session.model->hidden(inputs);  // [batch, length, dim]
        loss = session.model->head().loss(hidden.view({-1, hidden.size(-1)}), targets, scale);
    }
    loss.backward();
    return loss.detach().to(at::kDouble);
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
    result.tokens = config.train.batch * config.train.accumulate * config.train.length;
    result.lr = learning_rate(config.schedule, config.optim.lr, state.updates, session.warmup, state.schedule_period);

    // The loss is the mean over all tokens of the update, whatever the micro-batches.
    const double scale = state.loss_scale / static_cast<double>(result.tokens);
    for (const auto& parameter : session.parameters) parameter.mutable_grad() = at::Tensor();
    at::Tensor loss;
    for (std::int64_t micro = 0; micro < config.train.accumulate; ++micro) {
        torch::manual_seed(seed_of(config.train.seed, state.updates, micro, /*rank=*/0));
        const auto part = micro_batch(session, state.samples + micro * config.train.batch, scale);
        loss = loss.defined() ? loss + part : part;
    }

    const at::NoGradGuard no_grad;
    if (state.loss_scale != 1.0) multiply_gradients(session.parameters, 1 / state.loss_scale);
    const auto norm = gradient_norm(session.parameters);
    // The one time an update waits for the device: both numbers together.
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
    state.samples += config.train.batch * config.train.accumulate;
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
