#include "fork.h"

#include <algorithm>

#include "longbow/config/context.h"
#include "longbow/config/load.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/json_text.h"
#include "longbow/core/output.h"
#include "longbow/core/strings.h"
#include "longbow/core/utf8.h"

namespace longbow {

namespace {

constexpr const char* kForkFile = "fork.json";

// Brings names of the same place to one spelling: RUN, RUN/ and RUN@last; relative and absolute paths.
std::string normal(const std::string& from) {
    std::string path = from, which;
    const auto at = from.rfind('@');
    if (!fs::exists(from) && at != std::string::npos) {
        path = from.substr(0, at);
        which = from.substr(at);
    }
    const auto place = whole_path(path);
    const bool a_run = which.empty() && !fs::exists(place / "model.safetensors");
    return place.string() + (a_run ? "@last" : which);
}

// A run's name without a suffix means its last checkpoint, since the fork continues its training. `eval RUN` takes the
// best one instead.
fs::path source_of(const std::string& from) {
    const fs::path path = from;
    return resolve_checkpoint(names_a_run(from) ? (path.has_filename() ? path : path.parent_path()).string() + "@last"
                                                : from);
}

Json read_fork(const fs::path& run) {
    const auto file = run / kForkFile;
    std::error_code ignored;
    if (!fs::is_regular_file(file, ignored)) return nullptr;
    Json json = parse_json(read_file(file));
    if (!json.is_object() || !json.contains("from") || !json["from"].is_string() || !json.contains("config")) {
        throw CheckpointError(file.string() +
                              " is damaged: it does not say what the run was forked from; choose another --run-dir");
    }
    for (const char* key : {"from", "checkpoint"}) {
        if (json.contains(key) && json[key].is_string()) json[key] = unescape_name(json[key].get<std::string>());
    }
    return json;
}

// Returns the directory of a fork that has checkpoints already: the run itself or the first of its seeds; empty if
// there is none.
fs::path find_begun_run(const fs::path& run_dir) {
    std::vector<fs::path> runs = {run_dir};
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(run_dir, error)) {
        if (starts_with(entry.path().filename().string(), "seed-")) runs.push_back(entry.path());
    }
    std::sort(runs.begin(), runs.end());
    for (const auto& run : runs) {
        if (!list_checkpoints(run).empty()) return run;
    }
    return {};
}

Json config_of(const fs::path& checkpoint) {
    Json config = config_json(read_checkpoint_config(checkpoint), registered_config_context());
    config["train"].erase("init_from");  // the weights come from the checkpoint
    return config;
}

}  // namespace

bool names_a_run(const std::string& from) {
    const fs::path path = from;
    std::error_code ignored;
    return fs::is_directory(path / "checkpoints", ignored) && !fs::exists(path / "model.safetensors", ignored);
}

ForkSource open_fork(const std::string& from, const fs::path& run_dir) {
    const auto run = run_of_checkpoints(from);
    const std::string named = run.empty() ? from : run.string();  // RUN/checkpoints is taken for RUN
    ForkSource source;
    source.fork.from = named;
    if (const auto begun = find_begun_run(run_dir); !begun.empty()) {
        check_same_fork(begun, named);
        source.config = read_fork(begun)["config"];
        source.config_name = (begun / kForkFile).string();
        // Seeds that have not begun yet start from the same checkpoint as the others did.
        if (begun != run_dir) source.fork.checkpoint = read_fork(begun).value("checkpoint", "");
        return source;
    }
    source.fork.checkpoint = whole_path(source_of(named));
    source.config = config_of(source.fork.checkpoint);
    source.config_name = (source.fork.checkpoint / "model.safetensors").string();
    return source;
}

void check_fork_settings(const LoadedConfig& loaded) {
    if (!loaded.config.train.init_from.empty()) {
        const auto set = loaded.origins.find("train.init_from");
        throw UsageError(
            (set == loaded.origins.end() ? "" : set->second.place + ": ") +
            "train.init_from and --from cannot be combined: both set the initial weights. --from takes over the "
            "optimizer's state and the place in the data too; choose one of the two");
    }
    if (const auto set = loaded.origins.find("model.init"); set != loaded.origins.end() && !set->second.own) {
        throw ConfigError(set->second.place +
                          ": model.init has no effect here: with --from the weights come from a checkpoint; remove it");
    }
}

void check_same_fork(const fs::path& run, const std::string& from) {
    const Json fork = read_fork(run);
    if (fork.is_null()) {
        throw UsageError(
            "--from " + from + ": " + run.string() +
            " contains a run that --from did not start: choose another --run-dir, or omit --from to continue that run");
    }
    const auto before = fork["from"].get<std::string>();
    const std::string checkpoint = fork.value("checkpoint", "");
    const auto now = normal(from);
    for (const auto& same : {before, checkpoint}) {
        // If the checkpoint is gone, `from` cannot be seen to be a run.
        if (now == same || now == same + "@last") return;
    }
    throw UsageError("--from " + from + ": the run in " + run.string() + " was forked from " + before + " (" +
                     checkpoint + "): choose another --run-dir");
}

void write_fork(const fs::path& run, const Fork& fork) {
    const Json json = {{"from", escape_name(normal(fork.from))},
                       {"checkpoint", escape_name(fork.checkpoint.string())},
                       {"update", read_manifest(fork.checkpoint).value("update", std::int64_t{0})},
                       {"model", read_manifest(fork.checkpoint)["files"]["model.safetensors"].value("hash", "")},
                       {"config", config_of(fork.checkpoint)}};
    write_file_atomic(run / kForkFile, json.dump(2) + "\n");
}

}  // namespace longbow
