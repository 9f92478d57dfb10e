// Finds runs and reads what a report needs of them.
#include "longbow/report/runs.h"

#include <fmt/core.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "longbow/checkpoint/public_model.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/json.h"
#include "longbow/core/json_text.h"
#include "longbow/core/strings.h"
#include "longbow/core/utf8.h"
#include "longbow/eval/runs.h"
#include "longbow/telemetry/log.h"
#include "longbow/telemetry/metrics.h"

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
    // The rows say what was measured, so the report can do without the settings and without the training curve.
    const auto left_out = [&](const std::string& why) {
        log::warn(file.string() + ": " + why + "; the report omits this run's settings");
        return std::map<std::string, std::string>();
    };
    const auto text = read_file(file);
    if (const auto fault = utf8_problem(text); !fault.empty()) return left_out(fault);
    try {
        flatten(YAML::Load(text), "", settings);
    } catch (const YAML::Exception& error) {
        return left_out(fmt::format("not valid YAML (line {})", error.mark.line + 1));
    }
    return settings;
}

// Reads the training losses. Damaged lines are skipped, since a report should not fail because of them.
void read_metrics(const fs::path& file, ReportRun& run) {
    if (!fs::exists(file)) return;
    const auto text = read_file(file);
    if (encoding_of_bom(text) != nullptr) {
        log::warn(file.string() + ": " + utf8_problem(text) + "; the report omits this run's training");
        return;
    }
    run.metrics = longbow::read_metrics(file);
    for (const auto& json : run.metrics) {
        if (!json.contains("update") || !json["update"].is_number()) continue;
        const auto loss = json.find("loss");
        if (loss != json.end() && loss->is_number())
            run.train_nll.push_back({json["update"].get<double>(), loss->get<double>()});
    }
}

// Returns whether a row belongs to the run in whose folder it lies. Such rows take the name that the run has where it
// lies now; rows that came from elsewhere (--out) keep theirs.
bool is_of_run(const EvalResult& row, const ReportRun& run, const fs::path& folder) {
    const auto suffix = row.name_suffix();
    const auto own = row.name.ends_with(suffix) ? row.name.substr(0, row.name.size() - suffix.size()) : row.name;
    if (own.empty() || own == folder.filename().string() || own == run.name) return true;
    const auto agrees = [&](const char* key, const std::string& value) {
        const auto found = run.settings.find(key);
        return found != run.settings.end() && found->second == value;
    };
    return agrees("position.method", row.position) && agrees("train.length", std::to_string(row.train_length)) &&
           agrees("train.seed", std::to_string(row.seed));
}

ReportRun read_run(const fs::path& results) {
    ReportRun run;
    const auto folder = run_folder(results);
    run.results = results.string();
    run.name = run_name(folder);
    run.rows = read_results(run.results);
    if (run.rows.empty()) log::warn(run.results + " holds no rows");
    run.settings = read_settings(folder / "config.yaml");
    read_metrics(folder / "metrics.jsonl", run);
    return run;
}

// Returns the results.jsonl files that an input stands for.
std::vector<fs::path> results_of(const std::string& input) {
    const fs::path path(input);
    if (!fs::exists(path))
        throw DataError(input + ": no such file or directory; expected a results.jsonl or a run directory");
    if (public_model(input)) {
        throw DataError(input +
                        " is a public model: name the file that has its results, ./results.jsonl or what --out of "
                        "`longbow eval` named");
    }
    if (!fs::is_directory(path)) return {path};
    std::vector<fs::path> found;
    const auto folder = run_folder(path);  // for a checkpoint, its run
    for (const auto& run : find_runs(fs::equivalent(folder, path) ? path : folder)) {
        if (run.results) found.push_back(run.folder / "results.jsonl");
    }
    if (found.empty())
        throw DataError(input + ": no results.jsonl in this directory or below; `longbow eval " + input +
                        " ...` writes one");
    return found;
}

// Names the runs after their folders, with as many folders above them as tell them apart.
void name_runs(const std::vector<ReportRun*>& runs) {
    std::vector<fs::path> folders;
    for (const auto* run : runs) folders.push_back(run_folder(run->results));
    const auto names = run_names(folders);
    for (std::size_t i = 0; i < runs.size(); ++i) {
        for (auto& row : runs[i]->rows) {
            if (fs::path(runs[i]->results).filename() == "results.jsonl" && is_of_run(row, *runs[i], folders[i]))
                row.name = names[i] + row.name_suffix();
        }
        runs[i]->name = names[i];
    }
}

}  // namespace

std::vector<ReportRun> read_runs(const std::vector<std::string>& inputs) {
    std::vector<ReportRun> runs;
    std::set<fs::path> read;  // a run that is reached twice counts once
    for (const auto& input : inputs) {
        for (const auto& results : results_of(input)) {
            std::error_code error;  // a pipe has no canonical path
            const auto real = fs::canonical(results, error);
            if (error || read.insert(real).second) runs.push_back(read_run(results));
        }
    }
    if (std::all_of(runs.begin(), runs.end(), [](const ReportRun& run) { return run.rows.empty(); })) {
        throw DataError("no results to report: run `longbow eval` first");
    }
    std::vector<ReportRun*> all;
    for (auto& run : runs) all.push_back(&run);
    name_runs(all);
    return runs;
}

void make_names_unique(std::vector<ReportRun>& a, std::vector<ReportRun>& b) {
    std::vector<ReportRun*> all;
    for (auto* runs : {&a, &b}) {
        for (auto& run : *runs) all.push_back(&run);
    }
    name_runs(all);
}

}  // namespace longbow
