#include "longbow/eval/runs.h"

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <set>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/output.h"
#include "longbow/core/strings.h"
#include "longbow/core/utf8.h"
#include "longbow/telemetry/log.h"

namespace longbow {

namespace {

bool is_numbered(std::string_view name, std::string_view prefix) {
    return starts_with(name, prefix) && name.size() > prefix.size() &&
           name.find_first_not_of("0123456789", prefix.size()) == std::string_view::npos;
}

bool is_seed(const std::string& name) { return is_numbered(name, "seed-"); }

bool is_checkpoint(const fs::path& folder) {
    std::error_code error;
    return fs::exists(folder / "manifest.json", error) && fs::exists(folder / "model.safetensors", error);
}

// Returns whether `folder` is one of a run's checkpoints, including damaged ones and those set aside. The name of its
// parent does not suffice, since a folder of runs may be called checkpoints too.
bool is_of_checkpoints(const fs::path& folder) {
    const auto name = folder.filename().string();
    return folder.parent_path().filename() == "checkpoints" &&
           (is_numbered(name, "step-") || is_numbered(name, "abandoned-step-") || name == "best" || name == "last" ||
            is_checkpoint(folder));
}

bool has_checkpoints(const fs::path& run) {
    std::error_code error;
    const fs::directory_iterator entries(run / "checkpoints", error);
    return !error &&
           std::any_of(begin(entries), end(entries), [](const auto& entry) { return is_of_checkpoints(entry.path()); });
}

// Makes the path absolute and keeps the links through which the user came, including those on the way to the working
// folder if the shell tells them (PWD). A path with ".." is resolved, since ".." leads out of a link's target.
fs::path normal(const fs::path& path) {
    std::error_code error;
    const char* shell = std::getenv("PWD");
    const bool known = shell != nullptr && fs::path(shell).is_absolute() && fs::equivalent(shell, ".", error);
    const auto whole = path.is_absolute() ? path : (known ? fs::path(shell) : fs::current_path()) / path;
    const bool climbs = std::find(path.begin(), path.end(), "..") != path.end();
    return without_trailing_slashes(climbs ? fs::weakly_canonical(whole) : whole.lexically_normal());
}

// Returns ORG/NAME for models--ORG--NAME/snapshots/REVISION, which is how the hub's own program keeps downloads; else
// nothing.
std::string hub_name(const fs::path& folder) {
    static constexpr std::string_view kModels = "models--";
    const auto snapshots = folder.parent_path();
    const auto download = snapshots.parent_path().filename().string();
    if (snapshots.filename() != "snapshots" || !starts_with(download, kModels)) return "";
    auto name = download.substr(kModels.size());
    if (const auto between = name.find("--"); between != std::string::npos) name.replace(between, 2, "/");
    return name;
}

// Returns the last `parts` folders of a path as text: "a/b" for two.
std::string tail_of(const fs::path& folder, int parts) {
    if (const auto name = hub_name(folder); !name.empty()) return escape_invalid_utf8(name);
    auto rest = folder;
    fs::path tail;
    for (; parts > 0 && rest.has_filename(); --parts, rest = rest.parent_path())
        tail = tail.empty() ? rest.filename() : rest.filename() / tail;
    return escape_invalid_utf8(tail.empty() ? folder.string() : tail.string());
}

int least_parts(const fs::path& folder) {
    return is_seed(folder.filename().string()) && folder.parent_path().has_filename() ? 2 : 1;
}

class Search {
public:
    explicit Search(const fs::path& top) {
        visit(top);
        // Links are visited last, so that a run that also lies below the searched folder is found by its real path.
        for (; !links_.empty(); links_.pop_front()) visit(links_.front());
        std::sort(found_.begin(), found_.end(),
                  [](const FoundRun& a, const FoundRun& b) { return a.folder < b.folder; });
    }
    std::vector<FoundRun> found() && { return std::move(found_); }

private:
    void visit(const fs::path& folder) {
        std::deque<fs::path> open{folder};
        for (; !open.empty(); open.pop_front()) {
            const auto& next = open.front();
            std::error_code error;
            const auto real = fs::canonical(next, error);
            if (error || !visited_.insert(real).second) continue;
            examine(next, open);
        }
    }

    void examine(const fs::path& folder, std::deque<fs::path>& open) {
        std::error_code error;
        const bool checkpoint = is_checkpoint(folder);
        const FoundRun run{folder, fs::exists(folder / "results.jsonl", error), checkpoint || has_checkpoints(folder)};
        if (run.results || run.checkpoints) found_.push_back(run);
        if (checkpoint) return;
        std::vector<fs::path> folders;
        auto entry = fs::directory_iterator(folder, error);
        for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
            const auto name = entry->path().filename().string();
            std::error_code gone;
            if (name[0] == '.' || is_of_checkpoints(entry->path()) || !entry->is_directory(gone)) continue;
            if (entry->is_symlink(gone))
                links_.push_back(entry->path());
            else
                open.push_back(entry->path());
        }
        if (error) log::warn(folder.string() + " cannot be read, and runs in it are ignored: " + error.message());
    }

    std::set<fs::path> visited_;
    std::deque<fs::path> links_;
    std::vector<FoundRun> found_;
};

}  // namespace

fs::path run_folder(const fs::path& path) {
    const auto run_above = [](const fs::path& place) {
        return is_of_checkpoints(place) ? place.parent_path().parent_path() : fs::path();
    };
    const auto whole = normal(path);
    std::error_code error;
    if (public_model(whole.string())) return whole;
    if (fs::exists(whole, error) && !fs::is_directory(whole, error)) return run_folder(whole.parent_path());
    if (const auto run = run_above(whole); !run.empty()) return run;
    const auto real = fs::canonical(whole, error);
    if (!error) {
        if (const auto run = run_above(real); !run.empty()) return run;
    }
    return whole.filename() == "checkpoints" && has_checkpoints(whole.parent_path()) ? whole.parent_path() : whole;
}

std::string run_name(const fs::path& path) {
    const auto folder = run_folder(path);
    return tail_of(folder, least_parts(folder));
}

std::string public_model_name(const PublicModel& model) { return run_name(model.place) + std::string(model.variant()); }

std::vector<std::string> run_names(const std::vector<fs::path>& paths) {
    std::vector<fs::path> folders;
    std::vector<int> parts;
    for (const auto& path : paths) {
        folders.push_back(run_folder(path));
        parts.push_back(least_parts(folders.back()));
    }
    std::vector<std::string> names(paths.size());
    for (bool grown = true; grown;) {
        grown = false;
        for (std::size_t i = 0; i < paths.size(); ++i) names[i] = tail_of(folders[i], parts[i]);
        auto next = parts;
        for (std::size_t i = 0; i < paths.size(); ++i) {
            for (std::size_t j = 0; j < paths.size(); ++j) {
                if (names[i] != names[j] || folders[i] == folders[j] || tail_of(folders[i], parts[i] + 1) == names[i])
                    continue;
                next[i] = parts[i] + 1;
                grown = true;
            }
        }
        parts = next;
    }
    return names;
}

std::vector<FoundRun> find_runs(const fs::path& folder) {
    if (!fs::is_directory(folder)) throw Error(folder.string() + " is not a folder");
    return Search(folder).found();
}

}  // namespace longbow
