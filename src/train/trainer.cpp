// Runs the training loop. A single update is in update.cpp, what happens beside it in observers.h, and how a run starts
// or resumes in session.cpp.
#include "longbow/train/trainer.h"

#include <fmt/core.h>

#include <cmath>
#include <optional>

#include "fork.h"
#include "longbow/config/context.h"
#include "longbow/config/load.h"
#include "longbow/core/child.h"
#include "longbow/core/error.h"
#include "longbow/core/failpoint.h"
#include "longbow/core/files.h"
#include "longbow/core/installation.h"
#include "longbow/core/signals.h"
#include "longbow/core/strings.h"
#include "longbow/model/device_memory.h"
#include "longbow/telemetry/log.h"
#include "observers.h"
#include "run_directory.h"
#include "session.h"
#include "trace.h"

namespace longbow {

namespace {

[[noreturn]] void stop(Session& session, Checkpoints& checkpoints, Metrics& metrics) {
    checkpoints.save(session, metrics);
    checkpoints.wait_until_saved();
    const std::string signal = stop_signal_name();
    throw InterruptedError(fmt::format("{}: saved {}; run the same command again to continue",
                                       signal.empty() ? "another rank was told to stop" : signal,
                                       checkpoint_path(session.run, session.state.updates).string()));
}

void guard_against_divergence(Session& session, Checkpoints& checkpoints, Metrics& metrics,
                              const UpdateResult& result) {
    if (!result.skipped) return;
    const auto bad = session.state.bad_updates;
    if (bad == 1 && session.ranks->leader()) {
        metrics.pause();
        log::warn(fmt::format("update {}: the {} is not finite; the update is skipped", session.state.updates,
                              std::isfinite(result.nll) ? "gradient" : "loss"));
    }
    if (bad < session.config.train.max_bad_updates) return;
    const auto update = session.state.updates;
    const fs::path from = checkpoints.save_before_divergence(session, metrics);
    throw DivergedError(fmt::format(
        "diverged at update {}: {} updates in a row were not finite (train.max_bad_updates). {} is from before that; "
        "try a smaller optim.lr, a longer schedule.warmup or optim.clip_norm",
        update, bad, from.string()));
}

// Validates when due. A signal during a validation saves the state before it, so that the resumed run begins with it.
bool validate(Session& session, Validation& validation, Checkpoints& checkpoints, Metrics& metrics, bool last) {
    if (!validation.due(session, last)) return false;
    try {
        validation.run(session, metrics);
        return true;
    } catch (const InterruptedError&) {
        stop(session, checkpoints, metrics);
    }
}

TrainSummary summary_of(const Session& session, const Metrics& metrics, bool was_finished) {
    TrainSummary summary;
    summary.run_dir = session.run;
    summary.updates = session.state.updates;
    summary.was_finished = was_finished;
    summary.train_loss = metrics.last_loss();
    summary.best_valid_ppl = session.state.best_update >= 0 ? std::exp(session.state.best_nll) : 0;
    summary.checkpoint = checkpoint_path(
        session.run, session.state.best_update >= 0 ? session.state.best_update : session.state.updates);
    return summary;
}

void log_setup(const Session& session) {
    const auto& ranks = *session.ranks;
    const auto& parallel = *session.parallel;
    log::info(fmt::format("{}: {} parameters, {} tokens an update{}, attention {}, gemm {}", session.run.string(),
                          with_commas(session.model->parameter_count()), human_count(session.units.tokens_per_update),
                          session.items ? " of " + session.place
                                        : fmt::format(", {:.1f} updates an epoch", session.units.updates_per_epoch),
                          session.model->attention().name(), session.state.gemm_library));
    if (ranks.alone()) return;
    log::info(fmt::format("{} ranks over {}{}", ranks.world(), session.device.is_cuda() ? "NCCL" : "Gloo",
                          parallel.sharded() ? ", each with its share of the optimizer's state" : ""));
}

void train_on(Session& session, Metrics& metrics, Validation& validation, Checkpoints& checkpoints) {
    auto& ranks = *session.ranks;
    // This is the checkpoint of update 0: a full disk is noticed now, and a run that diverges has a checkpoint to name.
    checkpoints.save(session, metrics);
    checkpoints.wait_until_saved();
    if (validate(session, validation, checkpoints, metrics, session.finished())) {
        checkpoints.save(session, metrics, /*state_changed=*/true);
    }

    Trace trace(session.config.train.profile, session.run, ranks.rank(), session.device.is_cuda());
    while (!session.finished()) {
        failpoint("train.update");
        // With several ranks all must know of the signal; the update itself tells them.
        if (ranks.alone() && stop_requested()) stop(session, checkpoints, metrics);
        trace.before_update();
        const UpdateResult result = run_update(session);
        trace.after_update();
        const bool last = session.finished();
        guard_against_divergence(session, checkpoints, metrics, result);
        metrics.after_update(session, result, last);
        checkpoints.check();
        if ((ranks.alone() ? stop_requested() : result.stop) && !last) stop(session, checkpoints, metrics);
        const bool checkpoint_due = checkpoints.due(session) && !result.skipped;
        const bool validated = validate(session, validation, checkpoints, metrics, last);
        const bool best = validated && session.state.best_update == session.state.updates;
        if (last || best || checkpoint_due) checkpoints.save(session, metrics);
        if (!result.skipped) checkpoints.remember_good_state(session);
    }
    checkpoints.wait_until_saved();
}

// Writes what the run is, before its first checkpoint: its settings, and where it was forked from.
void write_settings(const Session& session, const TrainRequest& request) {
    const bool begins = list_checkpoints(session.run).empty();
    if (begins && request.fork) write_fork(session.run, *request.fork);
    std::string text = std::string(kOwnConfigMark) + "\n";
    if (const auto schema = installed_schema(); !schema.empty())
        text += "# yaml-language-server: $schema=" + schema.string() + "\n";
    if (request.fork) {
        text += "# The run was forked: longbow train --from " + shell_word(request.fork->from) + " .. --run-dir " +
                shell_word(session.run.string()) + "; fork.json says where.\n";
    }
    write_file_atomic(session.run / "config.yaml", text + config_yaml(session.config, registered_config_context()));
}

TrainSummary train_one(const TrainRequest& request) {
    auto& ranks = *request.ranks;
    std::optional<RunDirectory> directory;  // on rank 0 alone
    ranks.leader_first("opening the run directory", [&] {
        check_request(request, ranks.world());
        directory.emplace(request.run_dir);
    });
    if (directory) log::add_file(directory->path() / "log.txt");
    Session session = open_session(request);
    if (directory) {
        directory->keep();
        write_settings(session, request);
    }

    Metrics metrics(session);
    Validation validation(session);
    Checkpoints checkpoints(session);
    if (ranks.leader()) log_setup(session);
    const bool was_finished =
        session.finished() && (session.valid == nullptr || session.state.validated_update == session.state.updates);
    try {
        train_on(session, metrics, validation, checkpoints);
    } catch (const InterruptedError&) {
        throw;
    } catch (const DivergedError&) {
        throw;
    } catch (const std::exception& error) {
        // The other ranks must hear of it first, because this rank then waits for its writer, which may be waiting for
        // them.
        ranks.fail(error.what());
        throw;
    }
    metrics.pause();
    log::to_file(fmt::format("the most memory at once: {:.3f} MB of tensors", peak_memory_mb(session.device.str())));
    return summary_of(session, metrics, was_finished);
}

TrainSummary train_seeds(const TrainRequest& request) {
    TrainSummary all;
    all.run_dir = request.run_dir;
    double sum = 0;
    for (const auto seed : request.config.train.seeds) {
        TrainRequest one = request;
        one.config.train.seed = static_cast<std::uint64_t>(seed);
        one.config.train.seeds.clear();
        one.run_dir = request.run_dir / ("seed-" + std::to_string(seed));
        if (one.config.data.store.empty() && one.config.data.mixture.empty() && !one.config.task.chosen())
            one.config.data.store = (request.run_dir / "store").string();
        all.seeds.push_back(train_one(one));
        sum += all.seeds.back().best_valid_ppl;
        log::remove_file();
    }
    all.updates = all.seeds.back().updates;
    all.train_loss = all.seeds.back().train_loss;
    all.best_valid_ppl = sum / static_cast<double>(all.seeds.size());
    all.checkpoint = all.seeds.back().checkpoint;
    return all;
}

}  // namespace

TrainSummary train(const TrainRequest& request) {
    install_stop_handlers();
    if (!request.config.train.seeds.empty()) return train_seeds(request);
    const auto summary = train_one(request);
    log::remove_file();
    return summary;
}

}  // namespace longbow
