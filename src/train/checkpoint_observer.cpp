#include <ATen/ops/isfinite.h>

#include <algorithm>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/strings.h"
#include "longbow/telemetry/log.h"
#include "observers.h"
#include "session.h"

namespace longbow {

namespace {

bool weights_are_finite(const Session& session) {
    return std::all_of(session.parameters.begin(), session.parameters.end(),
                       [](const at::Tensor& parameter) { return at::isfinite(parameter.detach()).all().item<bool>(); });
}

}  // namespace

Checkpoints::Checkpoints(const Session& session) : every_(session.config.checkpoint.every, session.units, session.state.train_seconds), good_(session.state) {}

void Checkpoints::remember_good(const Session& session) { good_ = session.state; }

bool Checkpoints::due(const Session& session) { return every_.due(session.state.updates, session.state.train_seconds); }

void Checkpoints::save(Session& session, Metrics& metrics, bool state_changed) {
    auto& state = session.state;
    if (session.saved_update == state.updates && !state_changed) return;
    metrics.pause();
    if (!weights_are_finite(session)) {
        if (session.saved_update < 0) throw DivergedError("the weights are not finite before the first update: look at train.init_from");
        throw DivergedError(strprintf("diverged: the weights are not finite after update %lld; %s is from before; try a smaller optim.lr or a "
                                      "longer schedule.warmup",
                                      static_cast<long long>(state.updates), checkpoint_path(session.run, session.saved_update).c_str()));
    }
    metrics.sync();
    const RateMeter meter;
    state.train_seconds = session.seconds();
    save_checkpoint(session.run, *session.model, session.optimizer.get(), state, session.config, *session.tokenizer, session.train->fingerprint());
    session.saved_update = state.updates;
    if (state.best_update == state.updates) mark_best(session.run, state.best_update);
    prune_checkpoints(session.run, session.config.checkpoint.keep_last, session.config.checkpoint.keep_best);
    log::to_file(strprintf("checkpoint of update %lld in %.2f s", static_cast<long long>(state.updates), meter.elapsed()));
}

fs::path Checkpoints::save_before_divergence(Session& session, Metrics& metrics) {
    if (good_.updates > session.saved_update && weights_are_finite(session)) {
        // No update since then has touched weights or optimizer: with the state of then, this is the checkpoint of then.
        session.state = good_;
        save(session, metrics);
    }
    return checkpoint_path(session.run, session.saved_update);
}

}  // namespace longbow
