#include "longbow/grid/commands.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "longbow/core/child.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

using Command = std::vector<std::string>;

// scripts/build puts the program at this path. The scripts run from the top of the checkout, perhaps on another
// machine.
constexpr const char* kProgram = "\"${LONGBOW:-build/release/longbow}\" \"$@\"";

void add_common(Command& command, const GridRequest& request) {
    if (request.device != "auto") command.insert(command.end(), {"--device", request.device});
    if (request.threads > 0) command.insert(command.end(), {"--threads", std::to_string(request.threads)});
    if (request.nproc > 1) command.insert(command.end(), {"--nproc", std::to_string(request.nproc)});
}

void add_config(Command& command, const PlannedModel& model) {
    for (const auto& file : model.files) command.insert(command.end(), {"-c", file});
    command.insert(command.end(), model.overrides.begin(), model.overrides.end());
}

Command train_command(const PlannedModel& model, const GridRequest& request, std::int64_t stop) {
    Command command{"train"};
    add_config(command, model);
    if (stop < model.updates) command.push_back(fmt::format("train.stop={} updates", stop));
    command.insert(command.end(), {"--run-dir", (request.run_dir / model.name).string()});
    add_common(command, request);
    return command;
}

Command eval_command(const PlannedModel& model, const PlannedEval& eval, const GridRequest& request, bool last) {
    const auto run = request.run_dir / model.name;
    std::vector<std::string> lengths;
    for (const auto length : eval.missing) lengths.push_back(std::to_string(length));
    Command command{"eval",      run.string() + (last ? "@last" : ""),
                    "--data",    model.config.data.store,
                    "--split",   eval.split,
                    "--lengths", join(lengths, ","),
                    "--out",     (run / eval.file).string()};
    if (!model.data_set.empty()) command.insert(command.end(), {"--data-set", model.data_set});
    if (eval.stride > 0) command.insert(command.end(), {"--stride", std::to_string(eval.stride)});
    if (eval.stream_tokens > 0)
        command.insert(command.end(), {"--max-stream-tokens", std::to_string(eval.stream_tokens)});
    if (eval.one_at_a_time) command.insert(command.end(), {"--max-tokens", "1"});
    add_common(command, request);
    command.insert(command.begin() + 2, eval.overrides.begin(), eval.overrides.end());
    return command;
}

// A probe has one process, so that it has no --nproc.
Command probe_command(const PlannedModel& model, const PlannedProbe& probe, const GridRequest& request) {
    const auto run = request.run_dir / model.name;
    Command command{"probe", probe.kind, run.string()};
    command.insert(command.end(), probe.overrides.begin(), probe.overrides.end());
    command.insert(command.end(), probe.arguments.begin(), probe.arguments.end());
    command.insert(command.end(), {"--items", std::to_string(probe.items), "--seed", std::to_string(probe.seed),
                                   "--out", (run / probe.file).string()});
    auto one = request;
    one.nproc = 1;
    add_common(command, one);
    return command;
}

std::string shell_line(const Command& command) {
    std::vector<std::string> words{"longbow"};
    for (const auto& word : command) words.push_back(shell_word(word));
    return join(words, " ");
}

}  // namespace

std::vector<std::vector<std::string>> store_commands(const GridPlan& plan, const GridRequest& request) {
    std::vector<Command> commands;
    std::set<std::string> stores;
    for (const auto& model : plan.models) {
        const auto& store = model.config.data.store;
        // A task has no store, and without a text a store can only be given.
        if (model.done() || store.empty() || model.config.data.train.empty()) continue;
        if (!stores.insert(store).second || fs::exists(fs::path(store) / "manifest.json")) continue;
        Command command{"prepare"};
        add_config(command, model);
        if (request.threads > 0) command.insert(command.end(), {"--threads", std::to_string(request.threads)});
        commands.push_back(std::move(command));
    }
    return commands;
}

std::vector<ModelCommands> model_commands(const GridPlan& plan, const GridRequest& request) {
    std::vector<ModelCommands> chains;
    for (const auto& model : plan.models) {
        ModelCommands chain{model.name, {}, {}};
        const auto add = [&](Command command, double cost) {
            chain.commands.push_back(std::move(command));
            chain.costs.push_back(cost);
        };
        const auto done = std::max<std::int64_t>(0, model.done_updates);
        const double update = model.train_flops / static_cast<double>(std::max<std::int64_t>(1, model.updates - done));
        std::int64_t trained = done;
        const auto add_training = [&](std::int64_t stop) {
            add(train_command(model, request, stop),
                update * static_cast<double>(std::max<std::int64_t>(0, stop - trained)));
            trained = std::max(trained, stop);
        };
        const bool early = std::any_of(model.early.begin(), model.early.end(),
                                       [](const PlannedEval& eval) { return !eval.missing.empty(); });
        if (early) {
            if (model.done_updates < model.early_updates) add_training(model.early_updates);
            for (const auto& eval : model.early) {
                if (!eval.missing.empty()) add(eval_command(model, eval, request, true), eval.flops);
            }
        }
        if (!model.trained() || early) add_training(model.updates);
        for (const auto& eval : model.evals) {
            if (!eval.missing.empty()) add(eval_command(model, eval, request, false), eval.flops);
        }
        for (const auto& probe : model.probes) {
            if (probe.missing) add(probe_command(model, probe, request), probe.flops);
        }
        if (!chain.commands.empty()) chains.push_back(std::move(chain));
    }
    return chains;
}

std::string shell_script(const GridPlan& plan, const GridRequest& request,
                         const std::vector<std::string>& final_command) {
    // A command that fails or is interrupted ends the script, since the next commands would measure a half-trained
    // model.
    std::string text = std::string("set -eu\n") + "longbow() { " + kProgram + "; }\n";
    for (const auto& command : store_commands(plan, request)) text += shell_line(command) + "\n";
    for (const auto& chain : model_commands(plan, request)) {
        text += "# " + chain.name + "\n";
        for (const auto& command : chain.commands) text += shell_line(command) + "\n";
    }
    return text + "# the tables and figures\n" + shell_line(final_command) + "\n";
}

std::string slurm_script(const GridPlan& plan, const GridRequest& request,
                         const std::vector<std::string>& final_command) {
    const auto chains = model_commands(plan, request);
    if (chains.empty())
        throw UsageError("nothing is missing: without --slurm, the same command writes the tables and figures");
    std::string text = "#!/bin/bash\n#SBATCH --job-name=longbow\n";
    text += fmt::format("#SBATCH --array=0-{}\n", chains.size() - 1);
    text +=
        "#SBATCH --gres=gpu:1\n#SBATCH --cpus-per-task=8\n#SBATCH --requeue\n#SBATCH --signal=B:TERM@120\n#SBATCH "
        "--output=longbow-%A-%a.log\n";
    text +=
        "# One model a task: add --partition, --account and --time as your cluster wants them, and submit from the top of the checkout.\n";
    text +=
        "# SIGTERM comes two minutes before the time limit; longbow saves, ends with 75, and the task queues itself again to continue.\n";
    for (const auto& command : store_commands(plan, request)) text += "# First, once: " + shell_line(command) + "\n";
    text += "# Last, when all tasks are done: " + shell_line(final_command) + "\n";
    text +=
        std::string("set -u\nlongbow() { exec ") + kProgram + "; }    # in the background only\n" +
        "trap 'kill -TERM \"$child\" 2>/dev/null' TERM\n"
        "step() {\n    \"$@\" & child=$!\n    wait \"$child\"; status=$?\n"
        "    while kill -0 \"$child\" 2>/dev/null; do wait \"$child\"; status=$?; done    # the trap interrupts wait\n"
        "    if [ $status = 75 ]; then scontrol requeue \"$SLURM_JOB_ID\"; exit 0; fi\n    [ $status = 0 ] || exit $status\n}\n";
    text += "case $SLURM_ARRAY_TASK_ID in\n";
    for (std::size_t i = 0; i < chains.size(); ++i) {
        text += fmt::format("{})  # ", i) + chains[i].name + "\n";
        for (const auto& command : chains[i].commands) text += "    step " + shell_line(command) + "\n";
        text += "    ;;\n";
    }
    return text + "esac\n";
}

}  // namespace longbow
