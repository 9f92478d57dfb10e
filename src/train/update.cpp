#include "update.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <fmt/core.h>
#include <torch/csrc/api/include/torch/utils.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "longbow/core/failpoint.h"
#include "longbow/core/random.h"
#include "longbow/core/signals.h"
#include "longbow/data/update_share.h"
#include "longbow/model/autocast.h"
#include "longbow/model/output_head.h"
#include "longbow/model/send.h"
#include "longbow/optim/schedule.h"
#include "loss_scale.h"
#include "session.h"

namespace longbow {

namespace {

// Returns the loss of one micro-batch: the sum over its tokens, times `scale`.
at::Tensor micro_batch_loss(Session& session, const std::vector<TrainingInput>& blocks, double scale) {
    const auto& config = session.config.train;
    const auto rows = static_cast<std::int64_t>(blocks.size());
    auto inputs = at::empty({rows, config.length}, at::kLong);
    auto targets = at::empty({rows, config.length}, at::kLong);
    fill_batch(*session.train, blocks, config.length, inputs.mutable_data_ptr<std::int64_t>(),
               targets.mutable_data_ptr<std::int64_t>());
    targets = targets.view({-1});
    const AutocastScope autocast(session.device.type(), scalar_type(config.dtype));
    auto hidden = session.model->hidden(inputs);  // [rows, length, dim]
    hidden = hidden.view({-1, hidden.size(-1)});
    // Only targets with a loss go through the output head. A short block leaves positions without one at the end of its
    // row, where they cannot affect the positions before them; a task's question gives none.
    if (std::any_of(blocks.begin(), blocks.end(),
                    [&](const TrainingInput& block) { return block.length < config.length || block.masked > 0; })) {
        const auto places = targets.ne(kNoTarget).nonzero().squeeze(1);
        targets = targets.index_select(0, places);
        hidden = hidden.index_select(0, sent(places, session.device));
    }
    return session.model->head().loss(hidden, targets, scale);
}

void multiply_gradients(const std::vector<at::Tensor>& parameters, double factor) {
    std::vector<at::Tensor> gradients;
    for (const auto& parameter : parameters) {
        if (parameter.grad().defined()) gradients.push_back(parameter.grad());
    }
    at::_foreach_mul_(gradients, factor);
}

// Holds the numbers that all ranks agree on.
struct Agreed {
    double nll = 0, norm = 0, seconds = 0;
    bool stop = false;
};

// Makes all ranks see the same numbers, since they decide by them: the summed loss, the norm of the whole gradient
// (also stored in `norm`), whether any rank was told to stop, and rank 0's clock. This is the only point at which an
// update waits for the device.
Agreed agree(const Session& session, const at::Tensor& loss, at::Tensor& norm) {
    auto& ranks = *session.ranks;
    if (ranks.alone()) {
        const auto numbers = at::stack({loss, norm.to(at::kDouble)}).cpu();
        const auto* values = numbers.const_data_ptr<double>();
        return {values[0], values[1], session.seconds(), stop_requested()};
    }
    // Each rank has either the whole gradient or its own part of it. Whole ones count once.
    const double counts = session.parallel->sharded() || ranks.leader() ? 1.0 : 0.0;
    const auto host = at::empty({2}, at::kDouble);
    host.mutable_data_ptr<double>()[0] = stop_requested() ? 1.0 : 0.0;
    host.mutable_data_ptr<double>()[1] = ranks.leader() ? session.seconds() : 0.0;
    const auto squared = counts > 0 ? norm.to(at::kDouble).square() : at::zeros({}, loss.options());
    const auto sums = at::cat({at::stack({loss, squared}), sent(host, loss.device())});
    ranks.sum(sums);
    norm = sums[1].sqrt().to(norm.scalar_type());
    const auto numbers = sums.cpu();
    const auto* values = numbers.const_data_ptr<double>();
    return {values[0], std::sqrt(values[1]), values[3], values[2] > 0};
}

}  // namespace

UpdateResult run_update(Session& session) {
    const auto start = std::chrono::steady_clock::now();
    const auto& config = session.config;
    auto& state = session.state;
    UpdateResult result;
    result.lr = learning_rate(config.schedule, config.optim.lr, session.counted_updates(), session.warmup,
                              state.schedule_period);

    auto& ranks = *session.ranks;
    auto& parallel = *session.parallel;
    auto share = share_of_update(*session.order, session.position(), config.train, ranks.rank(), ranks.world());
    result.tokens = share.tokens;
    // The next update's inputs are read from disk while this one computes.
    prefetch(*session.train,
             share_of_update(*session.order, {session.position().updates + 1, state.samples + share.samples},
                             config.train, ranks.rank(), ranks.world())
                 .micro_batches);

    // The loss is the mean over all targets of the update that give one, however they are divided into micro-batches.
    // In fp16 the loss scale multiplies that mean, or the sum over the tokens (train.scaled_loss); the number of tokens
    // is then divided out after the backward pass.
    const auto tokens = static_cast<double>(share.losses);
    const double divided_after =
        config.train.dtype == DType::fp16 && config.train.scaled_loss == ScaledLoss::sum ? tokens : 1.0;
    const double scale = state.loss_scale / (tokens / divided_after);
    // A rank without a share still takes part in the collectives, with an input of weight 0.
    const double weight = share.micro_batches.empty() ? 0.0 : 1.0;
    if (share.micro_batches.empty()) share.micro_batches.push_back(share.first);
    parallel.clear_gradients();
    at::Tensor loss;
    for (std::size_t micro = 0; micro < share.micro_batches.size(); ++micro) {
        ranks.stage(
            fmt::format("update {}: micro-batch {} of {}", state.updates + 1, micro + 1, share.micro_batches.size()));
        torch::manual_seed(seed_of(config.train.seed, state.updates, micro, ranks.rank()));
        auto part = micro_batch_loss(session, share.micro_batches[micro], scale * weight);
        if (failpoint("train.loss")) part = part * std::numeric_limits<double>::quiet_NaN();
        const bool last = micro + 1 == share.micro_batches.size();
        if (last) parallel.before_last_backward();
        ranks.guarded([&] { part.backward(); });
        if (last) parallel.after_last_backward();
        const auto value = part.detach().to(at::kDouble);
        loss = loss.defined() ? loss + value : value;
    }
    ranks.stage(fmt::format("update {}: optimizer", state.updates + 1));

    const at::NoGradGuard no_grad;
    if (state.loss_scale * divided_after != 1.0)
        multiply_gradients(parallel.owned(), 1 / (state.loss_scale * divided_after));
    auto norm = gradient_norm(parallel.owned());
    const auto numbers = agree(session, loss, norm);
    result.nll = numbers.nll / scale;
    result.grad_norm = numbers.norm;
    result.stop = numbers.stop;
    result.skipped = !std::isfinite(result.nll) || !std::isfinite(result.grad_norm);
    if (!result.skipped) {
        // Well below the limit the divisor is 1, so none is computed.
        constexpr double kNear = 0.999;
        const bool clips = config.optim.clip_norm > 0 && result.grad_norm + 1e-6 > kNear * config.optim.clip_norm;
        session.optimizer->step(result.lr, clips ? clipping_divisor(norm, config.optim.clip_norm) : at::Tensor());
        parallel.after_step();
    }

    if (config.train.dtype == DType::fp16) {
        const auto next =
            next_loss_scale({state.loss_scale, state.good_updates}, result.skipped, config.train.loss_scale_window);
        state.loss_scale = next.scale;
        state.good_updates = next.good_updates;
    }
    state.updates += 1;
    state.samples += share.samples;
    state.tokens += result.tokens;
    state.optimizer_steps = session.optimizer->steps();
    state.bad_updates = result.skipped ? state.bad_updates + 1 : 0;
    state.skipped_updates += result.skipped ? 1 : 0;
    if (!result.skipped) {
        state.interval_nll += result.nll;
        state.interval_tokens += share.losses;
    }
    state.train_seconds = numbers.seconds;
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return result;
}

}  // namespace longbow
