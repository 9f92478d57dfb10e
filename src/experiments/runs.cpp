// Finds runs and reads what a report needs of them.
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/json.h"
#include "longbow/core/strings.h"
#include "longbow/experiments/report.h"
#include "longbow/telemetry/log.h"

namespace longbow {

namespace {

void flatten(const YAML::Node& node, const std::string& prefix, std::map<std::string, std::string>& out) {
    if (node.IsMap()) {
        for (const auto& entry : node) {
            const auto key = entry.first.as<std::string>();
            flatten(entry.second, prefix.empty() ? key : prefix + "." + key, out);
        }
    } else if (node.IsSequence()) {
        std::vector<std::string> parts;
        for (const auto& item : node) parts.push_back(item.IsScalar() ? item.Scalar() : YAML::Dump(item));
        out[prefix] = "[" + join(parts, ", ") + "]";
    } else {
        out[prefix] = node.IsScalar() ? node.Scalar() : "null";
    }
}

std::map<std::string, std::string> read_settings(const fs::path& file) {
    std::map<std::string, std::string> settings;
    if (!fs::exists(file)) return settings;
    try {
        flatten(YAML::Load(read_file(file)), "", settings);
    } catch (const YAML::Exception& error) {
        throw DataError(file.string() + ": " + error.what());
    }
    return settings;
}

// A report outlives a run that was killed while it wrote: a line that is no JSON is passed over.
void read_metrics(const fs::path& file, ReportRun& run) {
    if (!fs::exists(file)) return;
    for (const auto& line : split(read_file(file), '\n')) {
        const auto json = Json::parse(line, nullptr, false);
        if (!json.is_object() || !json.contains("update") || !json["update"].is_number()) continue;
        const auto loss = json.find("loss");
        if (loss != json.end() && loss->is_number()) run.train_nll.push_back({json["update"].get<double>(), loss->get<double>()});
    }
}

ReportRun read_run(const fs::path& results) {
    ReportRun run;
    const auto folder = fs::absolute(results).lexically_normal().parent_path();
    run.results = results.string();
    run.name = folder.filename().string();
    run.rows = read_results(run.results);
    if (run.rows.empty()) log::warn(run.results + " holds no rows");
    run.settings = read_settings(folder / "config.yaml");
    read_metrics(folder / "metrics.jsonl", run);
    return run;
}

std::vector<fs::path> results_below(const fs::path& folder) {
    std::vector<fs::path> found;
    for (auto entry = fs::recursive_directory_iterator(folder, fs::directory_options::skip_permission_denied);
         entry != fs::recursive_directory_iterator(); ++entry) {
        if (entry->path().filename() == "checkpoints" || entry.depth() > 3) entry.disable_recursion_pending();
        if (entry->path().filename() == "results.jsonl") found.push_back(entry->path());
    }
    std::sort(found.begin(), found.end());
    return found;
}

}  // namespace

std::vector<ReportRun> read_runs(const std::vector<std::string>& inputs) {
    std::vector<ReportRun> runs;
    for (const auto& input : inputs) {
        const fs::path path(input);
        if (!fs::exists(path)) throw DataError(input + ": no such file or directory; expected a results.jsonl or a run directory");
        if (!fs::is_directory(path)) {
            runs.push_back(read_run(path));
        } else if (fs::exists(path / "results.jsonl")) {
            runs.push_back(read_run(path / "results.jsonl"));
        } else {
            const auto found = results_below(path);
            if (found.empty())
                throw DataError(input + ": no results.jsonl in this directory or below; `longbow eval " + input + " ...` writes one");
            for (const auto& results : found) runs.push_back(read_run(results));
        }
    }
    if (std::all_of(runs.begin(), runs.end(), [](const ReportRun& run) { return run.rows.empty(); })) {
        throw DataError("no results to report: run `longbow eval` first");
    }
    return runs;
}

}  // namespace longbow
