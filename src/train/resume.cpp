#include "resume.h"

#include <ATen/Parallel.h>
#include <fmt/core.h>

#include "learning_plan.h"
#include "longbow/config/context.h"
#include "longbow/config/load.h"
#include "longbow/core/child.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/strings.h"
#include "longbow/telemetry/log.h"
#include "session.h"

namespace longbow {

std::optional<fs::path> checkpoint_to_resume(const TrainRequest& request) {
    const auto existing = list_checkpoints(request.run_dir);
    if (request.resume == ResumeRule::never) {
        if (existing.empty()) return std::nullopt;
        throw UsageError("--resume never: " + request.run_dir.string() +
                         " has checkpoints already (the newest of update " + std::to_string(existing.back().update) +
                         "); choose another --run-dir, or resume it with --resume auto");
    }
    if (request.resume == ResumeRule::named) {
        const fs::path path = resolve_checkpoint(request.resume_from);
        verify_checkpoint(path);
        return path;
    }
    const auto newest = newest_whole_checkpoint(request.run_dir);
    if (!newest && !existing.empty()) {
        throw CheckpointError("every checkpoint of " + request.run_dir.string() +
                              " is damaged; move the directory away to train from the beginning");
    }
    return newest;
}

void check_resumed_config(const fs::path& checkpoint, const TrainRequest& request) {
    std::vector<std::string> changes, settings;
    for (const auto& difference :
         config_differences(read_checkpoint_config(checkpoint), request.config, registered_config_context())) {
        if (starts_with(difference.key, "data.") || !decides_weights(difference.key)) continue;
        if (difference.after != "(no effect)") settings.push_back(shell_word(difference.key + "=" + difference.after));
        changes.push_back(difference.key + ": " + difference.before + " -> " + difference.after);
    }
    if (changes.empty()) return;
    throw ConfigError("cannot resume from " + checkpoint.string() +
                      ": the configuration has changed: " + join(changes, "; ") +
                      ". Put the old values back, or start a run of its own from here: longbow train --from " +
                      (request.resume == ResumeRule::newest ? request.run_dir : checkpoint).string() + " " +
                      join(settings, " ") + " --run-dir NEW");
}

void check_resumed_data(const fs::path& checkpoint, const Session& session) {
    const Json manifest = read_manifest(checkpoint);
    const auto check = [&](const char* key, const std::string& now, const char* what) {
        const std::string before = manifest.value(key, "");
        if (before == now) return;
        throw DataError(session.place + ": " + what + " (" + now + ") is not the one that " + checkpoint.string() +
                        " was trained on (" + before + "); restore the old store, or choose another --run-dir");
    };
    check("tokenizer", session.tokenizer->fingerprint(), "the tokenizer");
    check("data", session.train->fingerprint(), "the training data");
    if (!session.ranks->leader()) return;
    const auto before = read_checkpoint_config(checkpoint);
    for (const auto& difference : config_differences(before, session.config, registered_config_context())) {
        const bool moved = starts_with(difference.key, "data.") && !describes_text(difference.key);
        if (!moved || difference.before == "\"\"") continue;  // a store in the run's own directory has no name
        const auto change = difference.key + ": " + difference.before + " -> " + difference.after;
        if (difference.key == "data.valid_store") {
            log::warn(
                change +
                ": validations before and after it, and so the best checkpoint, are comparable only if it is the same text");
        } else {
            log::info(change + ": the same data (" + session.train->fingerprint() + "), the run continues");
        }
    }
}

namespace {

// Says which of the checkpoint's weights a fork has, and which of its position method are new.
std::string taken_weights(const fs::path& checkpoint, const LanguageModel& model, PositionWeights positions) {
    if (positions == PositionWeights::same) return "all of them";
    const auto change = position_change(checkpoint, model);
    std::string text = "all of them";
    if (!change.added.empty()) text += "; new, with first values and no optimizer state: " + join(change.added, ", ");
    if (!change.dropped.empty()) text += "; left out: " + join(change.dropped, ", ");
    return text;
}

// Warns of differences because of which the last bits of the results may differ.
void warn_of_other_machine(const Session& session) {
    const auto& state = session.state;
    if (state.ranks != session.ranks->world()) {
        log::warn(fmt::format("this run used {} ranks and continues with {}: the last bits may differ", state.ranks,
                              session.ranks->world()));
    }
    if (state.device != session.device.str()) {
        log::warn("this run used device " + state.device + " and continues on " + session.device.str() +
                  ": results are no longer bit for bit the same");
    } else if (state.threads != at::get_num_threads()) {
        log::warn(fmt::format("this run used {} threads and continues with {}: the last bits may differ", state.threads,
                              at::get_num_threads()));
    }
}

}  // namespace

void resume_from(const fs::path& checkpoint, Session& session) {
    load_optimizer(checkpoint, *session.model, *session.optimizer, session.parallel->owned());
    const auto& state = session.state;
    std::error_code error;
    if (fs::equivalent(checkpoint, checkpoint_path(session.run, state.updates), error))
        session.saved_update = state.updates;
    if (!session.ranks->leader()) return;
    abandon_checkpoints_after(session.run, state.updates);
    // If a process is killed between saving a checkpoint and marking it as best, the old one is still marked.
    mark_best(session.run, state.best_update);
    warn_of_other_machine(session);
    log::info(fmt::format("continuing from {} (update {})", checkpoint.string(), state.updates));
}

void fork_from(const fs::path& checkpoint, const std::string& from, const ForkPlan& plan, Session& session) {
    const auto positions = fork_positions(checkpoint, session.config);
    if (plan.optimizer)
        load_optimizer(checkpoint, *session.model, *session.optimizer, session.parallel->owned(), positions);
    if (!session.ranks->leader()) return;
    warn_of_other_machine(session);
    const auto& state = session.state;
    const auto stop = session.total_updates >= 0
                          ? fmt::format(", {} to go", session.total_updates - session.counted_updates())
                          : std::string();
    log::info(fmt::format("forked from {} (update {}){}:", checkpoint.string(), state.updates,
                          names_a_run(from) ? (", the last of " + from + " (@best takes its best)") : ""));
    log::info("weights        " + taken_weights(checkpoint, *session.model, positions));
    for (const auto& line : plan.lines) log::info(line);
    log::info(fmt::format("updates        count on from {}: train.stop is {}{}", session.counted_updates(),
                          session.config.train.stop.text(), stop));
    log::info("learning rate  " + rates_ahead(session) + ", " + session.config.schedule.name +
              (plan.new_period ? "" : ", in the schedule as it was"));
}

}  // namespace longbow
