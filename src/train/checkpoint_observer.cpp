// Decides when and how the trainer saves checkpoints.
#include <ATen/ops/isfinite.h>
#include <ATen/ops/stack.h>
#include <fmt/core.h>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/hash.h"
#include "longbow/telemetry/log.h"
#include "observers.h"
#include "session.h"

namespace longbow {

namespace {

bool weights_are_finite(const Session& session) {
    std::vector<at::Tensor> finite;
    for (const auto& parameter : session.parameters) finite.push_back(at::isfinite(parameter.detach()).all());
    return at::stack(finite).all().item<bool>();  // the host waits for a GPU once
}

// Throws Error if the ranks' weights differ. Ranks apply the same gradients to the same weights; if they ever differ
// (faulty memory, a non-deterministic kernel), later checkpoints, which are rank 0's, would hide it.
void expect_equal_weights(const Session& session) {
    auto& ranks = *session.ranks;
    if (ranks.alone()) return;
    Hasher hasher;
    for (const auto& parameter : session.parameters) {
        const auto value = parameter.detach().cpu();
        hasher.update(value.const_data_ptr(), value.nbytes());
    }
    const auto hashes = ranks.exchange(hasher.digest());
    for (std::size_t rank = 1; rank < hashes.size(); ++rank) {
        if (hashes[rank] == hashes[0]) continue;
        throw Error(fmt::format(
            "after update {} the weights of rank {} are not those of rank 0: check that machine's memory and GPU; nothing "
            "is saved, and the last checkpoint is from before that",
            session.state.updates, rank));
    }
}

}  // namespace

Checkpoints::Checkpoints(const Session& session)
    : every_(session.config.checkpoint.every, session.units, session.state.train_seconds),
      good_state_(session.state),
      ranks_(*session.ranks),
      mailbox_(ranks_.alone() ? nullptr : ranks_.mailbox()) {}

void Checkpoints::wait_until_saved() {
    ranks_.stage("writing a checkpoint", /*patient=*/true);
    writer_.wait();
}

void Checkpoints::remember_good_state(const Session& session) { good_state_ = session.state; }

bool Checkpoints::due(const Session& session) { return every_.due(session.state.updates, session.state.train_seconds); }

void Checkpoints::save(Session& session, Metrics& metrics, bool state_changed) {
    auto& state = session.state;
    if (session.saved_update == state.updates && !state_changed) return;
    metrics.pause();
    wait_until_saved();
    expect_equal_weights(session);
    if (!weights_are_finite(session)) {
        if (session.saved_update < 0)
            throw DivergedError("the weights are not finite before the first update: check train.init_from");
        throw DivergedError(fmt::format(
            "diverged: the weights are not finite after update {}; {} is from before that; try a smaller optim.lr or a longer schedule.warmup",
            state.updates, checkpoint_path(session.run, session.saved_update).string()));
    }
    metrics.sync();
    const RateMeter meter;
    state.train_seconds = session.ranks->alone() ? session.seconds() : state.train_seconds;
    auto snapshot = std::make_shared<CheckpointSnapshot>(take_snapshot(
        *session.model, session.optimizer.get(), session.parallel->owned(), state, session.config, *session.tokenizer,
        session.train->fingerprint(), {session.ranks->rank(), session.ranks->world(), session.parallel->sharded()}));
    if (session.bos) snapshot->about["bos"] = name_of(*session.bos);
    session.saved_update = state.updates;
    const double copied = meter.elapsed();
    writer_.start([this, snapshot, copied, run = session.run, keep = session.config.checkpoint, sequence = saves_++] {
        const RateMeter writing;
        write_snapshot(run, *snapshot, mailbox_.get(), sequence);
        if (snapshot->ranks.rank != 0) return;
        const auto& saved = snapshot->state;
        if (saved.best_update == saved.updates) mark_best(run, saved.best_update);
        prune_checkpoints(run, keep.keep_last, keep.keep_best);
        log::to_file(fmt::format("checkpoint of update {}: copied in {:.2f} s, written in {:.2f} s", saved.updates,
                                 copied, writing.elapsed()));
    });
}

fs::path Checkpoints::save_before_divergence(Session& session, Metrics& metrics) {
    wait_until_saved();
    expect_equal_weights(session);  // a failure must end all ranks in the same way
    if (good_state_.updates > session.saved_update && weights_are_finite(session)) {
        // No update since then has changed weights or optimizer, so together with the remembered state this is the
        // checkpoint of that update.
        session.state = good_state_;
        save(session, metrics);
    }
    wait_until_saved();
    return checkpoint_path(session.run, session.saved_update);
}

}  // namespace longbow
