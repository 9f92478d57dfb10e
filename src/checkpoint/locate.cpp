// Lists a run's checkpoints, resolves the ones that a command line names, and removes old ones.
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "longbow/checkpoint/checkpoint.h"
#include "longbow/checkpoint/public_model.h"
#include "longbow/core/error.h"
#include "longbow/core/failpoint.h"
#include "longbow/core/files.h"
#include "longbow/core/output.h"
#include "longbow/core/strings.h"
#include "longbow/telemetry/log.h"

namespace longbow {

namespace {

constexpr std::string_view kStep = "step-";

std::optional<std::int64_t> step_of(std::string_view name) {
    if (!starts_with(name, kStep)) return std::nullopt;
    name.remove_prefix(kStep.size());
    std::int64_t update = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), update);
    if (error != std::errc{} || end != name.data() + name.size() || update < 0) return std::nullopt;
    return update;
}

// Returns the target of RUN/checkpoints/best or last; empty if there is no such link or its target is gone.
fs::path link_target(const fs::path& run, const char* name) {
    std::error_code error;
    const fs::path link = run / "checkpoints" / name;
    const fs::path target = fs::read_symlink(link, error);
    if (error || !fs::is_directory(link.parent_path() / target, error)) return {};
    return link.parent_path() / target;
}

std::string existing_steps(const fs::path& run) {
    std::vector<std::string> steps;
    for (const auto& entry : list_checkpoints(run)) steps.push_back(std::to_string(entry.update));
    return steps.empty() ? "it has none" : "it has step=" + join(steps, ", ");
}

fs::path checkpoint_of_run(const fs::path& run, const std::string& which) {
    if (which == "best" || which == "last") {
        if (const auto target = link_target(run, which.c_str()); !target.empty()) return target;
        throw CheckpointError(run.string() + " has no " + which + " checkpoint: " + existing_steps(run));
    }
    if (starts_with(which, "step=")) {
        if (const auto update = step_of("step-" + which.substr(5))) {
            if (const auto path = checkpoint_path(run, *update); fs::is_directory(path)) return path;
            throw CheckpointError(run.string() + " has no checkpoint of update " + std::to_string(*update) + ": " +
                                  existing_steps(run));
        }
    }
    throw UsageError("checkpoint " + run.string() + "@" + which + ": expected @best, @last or @step=N");
}

}  // namespace

std::vector<CheckpointEntry> list_checkpoints(const fs::path& run) {
    std::vector<CheckpointEntry> entries;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(run / "checkpoints", error)) {
        if (entry.is_symlink() || !entry.is_directory()) continue;
        if (const auto update = step_of(entry.path().filename().string())) entries.push_back({*update, entry.path()});
    }
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.update < b.update; });
    return entries;
}

fs::path run_of_checkpoints(const fs::path& folder) {
    if (folder.empty()) return {};
    std::error_code error;
    for (const auto& place : {fs::absolute(without_trailing_slashes(folder)), fs::weakly_canonical(folder, error)}) {
        if (place.filename() == "checkpoints" && !list_checkpoints(place.parent_path()).empty())
            return place.parent_path();
    }
    return {};
}

fs::path resolve_checkpoint(const std::string& text) {
    if (const auto model = public_model(text)) return cached_checkpoint(*model);
    const fs::path path = without_trailing_slashes(text);
    if (!fs::exists(path)) {
        const auto name = path.string();
        if (const auto at = name.rfind('@'); at != std::string::npos && at > 0) {
            const fs::path run = without_trailing_slashes(name.substr(0, at));
            if (!fs::is_directory(run))
                throw CheckpointError(run.string() + " is not a run directory: it does not exist");
            return checkpoint_of_run(run, name.substr(at + 1));
        }
        throw CheckpointError(text + ": there is no checkpoint or run directory");
    }
    if (fs::exists(path / "manifest.json") && fs::exists(path / "model.safetensors")) return path;
    if (fs::is_directory(path / "checkpoints")) {
        for (const char* which : {"best", "last"}) {
            if (const auto target = link_target(path, which); !target.empty()) return target;
        }
        if (const auto entries = list_checkpoints(path); !entries.empty()) return entries.back().path;
        throw CheckpointError(text + " is a run directory without any checkpoint yet");
    }
    if (const auto run = run_of_checkpoints(path); !run.empty()) return resolve_checkpoint(run.string());
    if (fs::is_directory(path / "seed-1") || !list_checkpoints(path.parent_path()).empty()) {
        throw CheckpointError(text + " is not a single run: name one of the directories in it");
    }
    throw CheckpointError(
        text +
        " is neither a checkpoint nor a run directory (a checkpoint contains manifest.json and model.safetensors), nor "
        "a public model (a folder with config.json, or a GGUF file)");
}

std::optional<fs::path> newest_whole_checkpoint(const fs::path& run) {
    const auto entries = list_checkpoints(run);
    for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
        try {
            verify_checkpoint(entry->path);
            return entry->path;
        } catch (const Error& error) {
            log::warn(std::string(error.what()) + "; looking for an older checkpoint");
        }
    }
    return std::nullopt;
}

void prune_checkpoints(const fs::path& run, std::int64_t keep_last, bool keep_best) {
    failpoint("checkpoint.before_prune");
    const auto entries = list_checkpoints(run);
    const fs::path best = keep_best ? link_target(run, "best").filename() : fs::path();
    const auto removable = static_cast<std::int64_t>(entries.size()) - std::max<std::int64_t>(keep_last, 1);
    for (std::int64_t i = 0; i < removable; ++i) {
        const auto& path = entries[static_cast<std::size_t>(i)].path;
        if (path.filename() == best) continue;
        // The checkpoint is first renamed to a hidden name, so that a removal that is cut short leaves no checkpoint
        // that looks damaged.
        const fs::path gone =
            path.parent_path() / ("." + path.filename().string() + ".gone-" + std::to_string(::getpid()));
        std::error_code error;
        fs::rename(path, gone, error);
        failpoint("checkpoint.in_prune");
        if (!error) fs::remove_all(gone, error);
        if (error) log::warn("cannot remove the old checkpoint " + path.string() + ": " + error.message());
    }
}

void clean_checkpoint_leftovers(const fs::path& run) {
    std::error_code error;
    std::vector<fs::path> leftovers;
    for (const auto& entry : fs::directory_iterator(run / "checkpoints", error)) leftovers.push_back(entry.path());
    for (const auto& path : leftovers) {
        const std::string name = path.filename().string();
        if (name[0] != '.') continue;
        // ".step-N.old-PID" is a whole checkpoint that was about to be replaced. It is put back if the new one is not
        // there.
        if (const auto old = name.find(".old-"); old != std::string::npos) {
            const fs::path target = path.parent_path() / name.substr(1, old - 1);
            if (step_of(name.substr(1, old - 1)) && !fs::exists(target)) {
                fs::rename(path, target, error);
                continue;
            }
        } else if (name.find(".tmp-") == std::string::npos && name.find(".gone-") == std::string::npos) {
            continue;
        }
        fs::remove_all(path, error);
        log::info("removed what an interrupted write left: " + path.string());
    }
}

void abandon_checkpoints_after(const fs::path& run, std::int64_t update) {
    for (const auto& entry : list_checkpoints(run)) {
        if (entry.update <= update) continue;
        const fs::path aside = entry.path.parent_path() / ("abandoned-" + entry.path.filename().string());
        std::error_code error;
        fs::remove_all(aside, error);
        fs::rename(entry.path, aside);
        log::warn("this run continues from update " + std::to_string(update) + ": " + entry.path.string() + " is now " +
                  aside.filename().string());
    }
}

}  // namespace longbow
