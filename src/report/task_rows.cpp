// Finds rows of the probe `tasks`, reads them and groups them into tables.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <tuple>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/json_text.h"
#include "longbow/core/strings.h"
#include "longbow/core/utf8.h"
#include "longbow/eval/runs.h"
#include "longbow/report/task_report.h"
#include "longbow/telemetry/log.h"

namespace longbow {

namespace {

constexpr const char* kProbe = "probe";
constexpr const char* kTasks = "tasks";
constexpr const char* kFile = "probes.jsonl";

struct Row {
    Json json;
    std::string where;
};

// Returns the rows of a file that are JSON objects. The reader of results says what is wrong with other lines.
std::vector<Row> rows_of(const std::string& file) {
    std::vector<Row> rows;
    std::error_code error;
    if (!fs::is_regular_file(file, error)) return rows;
    const auto text = read_file(file);
    if (!utf8_problem(text).empty()) return rows;
    const auto lines = split(text, '\n');
    for (std::size_t i = 0; i < lines.size(); ++i) {
        auto json = parse_json(lines[i]);
        if (json.is_object()) rows.push_back({std::move(json), file + ":" + std::to_string(i + 1)});
    }
    return rows;
}

bool is_probe(const Row& row) { return row.json.contains(kProbe); }
bool is_of_tasks(const Row& row) { return is_probe(row) && row.json[kProbe] == kTasks; }

// Returns whether a file has rows of probes, of which some must be of tasks.
bool has_task_rows(const std::string& file) {
    const auto rows = rows_of(file);
    if (std::none_of(rows.begin(), rows.end(), is_probe)) return false;
    if (!std::all_of(rows.begin(), rows.end(), is_probe)) {
        throw DataError(file +
                        ": it has rows of perplexity and rows of probes, and no table holds both: put them into two "
                        "files");
    }
    if (std::any_of(rows.begin(), rows.end(), is_of_tasks)) return true;
    std::set<std::string> kinds;
    for (const auto& row : rows) kinds.insert(row.json[kProbe].is_string() ? row.json[kProbe].get<std::string>() : "");
    const auto names = join({kinds.begin(), kinds.end()}, ", ");
    throw DataError(file + ": its rows are of the probe " + names +
                    ", and a report makes tables of `longbow eval` and `longbow probe tasks`; `longbow probe` prints "
                    "the tables of the others");
}

// Returns the probes.jsonl of the runs in a folder; none if a run has results.jsonl, which a report is of.
std::vector<std::string> files_in(const std::string& folder) {
    std::vector<std::string> files;
    const auto run = run_folder(folder);
    for (const auto& found : find_runs(fs::is_directory(run) ? run : fs::path(folder))) {
        if (found.results) return {};
        const auto file = (found.folder / kFile).string();
        const auto rows = rows_of(file);
        if (std::any_of(rows.begin(), rows.end(), is_of_tasks)) files.push_back(file);
    }
    return files;
}

// A row of the probe, and what it is grouped by.
struct TaskRow {
    std::string task, symbol, dtype, label, position, group;
    std::int64_t task_length = 0, items = 0, generator = 0;
    std::uint64_t items_seed = 0, train_seed = 0;
    TaskRange range;
    double exact_match = 0;
    Interval interval;
    Json json;
};

// Returns a row's name without the part that is the folder of a seed: "copy" for "copy/seed-3".
std::string without_seed(std::string name, const std::string& overrides) {
    const auto suffix = overrides.empty() ? "" : " " + overrides;
    if (name.ends_with(suffix)) name.resize(name.size() - suffix.size());
    static constexpr std::string_view kSeed = "/seed-";
    if (const auto at = name.rfind(kSeed); at != std::string::npos && at > 0 && at + kSeed.size() < name.size() &&
                                           name.find_first_not_of("0123456789", at + kSeed.size()) == std::string::npos)
        name.resize(at);
    return name + suffix;
}

TaskRow task_row(const Row& row) {
    const auto& json = row.json;
    try {
        TaskRow one;
        one.task = json.at("task").get<std::string>();
        one.symbol = json.at("symbol").get<std::string>();
        one.dtype = json.at("dtype").get<std::string>();
        one.label = without_seed(json.at("name").get<std::string>(), json.value("overrides", ""));
        one.position = json.at("position").get<std::string>();
        one.group = json.at("config_group").get<std::string>();
        one.task_length = json.at("task_length").get<std::int64_t>();
        one.items = json.at("items").get<std::int64_t>();
        one.generator = json.at("generator").get<std::int64_t>();
        one.items_seed = json.at("seed").get<std::uint64_t>();
        one.train_seed = json.at("train_seed").get<std::uint64_t>();
        one.range = {json.at("bucket").at(0).get<std::int64_t>(), json.at("bucket").at(1).get<std::int64_t>()};
        one.exact_match = json.at("exact_match").get<double>();
        one.interval = {json.at("exact_match_ci").at(0).get<double>(), json.at("exact_match_ci").at(1).get<double>()};
        one.json = json;
        return one;
    } catch (const Json::exception&) {
        throw DataError(row.where + ": not a whole row of `longbow probe tasks`; remove the line, or restore the file");
    }
}

void summarize(TaskCellRows& cell) {
    std::vector<double> values;
    std::optional<Interval> interval;
    for (const auto& row : cell.rows) {
        values.push_back(row["exact_match"].get<double>());
        interval = Interval{row["exact_match_ci"][0].get<double>(), row["exact_match_ci"][1].get<double>()};
    }
    cell.summary = summary_of_values(values, interval, 0, 1);
}

// Adds a row to the model that it is of. A later row of the same seed replaces an earlier one.
void add_row(TaskReport& report, std::vector<std::string>& groups, const TaskRow& row) {
    const auto key = row.group + "\n" + row.label;
    const auto known = std::find(groups.begin(), groups.end(), key) - groups.begin();
    if (known == std::ssize(groups)) {
        groups.push_back(key);
        report.models.push_back({row.label, row.position, {}});
    }
    auto& rows = report.models[static_cast<std::size_t>(known)].cells[row.range].rows;
    std::erase_if(rows, [&](const Json& one) { return one["train_seed"] == row.json["train_seed"]; });
    rows.push_back(row.json);
    if (std::find(report.ranges.begin(), report.ranges.end(), row.range) == report.ranges.end())
        report.ranges.push_back(row.range);
}

}  // namespace

SeedSummary summary_of_values(const std::vector<double>& values, const std::optional<Interval>& of_one, double least,
                              double most) {
    SeedSummary summary;
    if (values.empty()) return summary;
    summary.seeds = std::ssize(values);
    summary.mean = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
    double sum = 0;
    for (const auto value : values) sum += (value - summary.mean) * (value - summary.mean);
    summary.sd = values.size() > 1 ? std::sqrt(sum / static_cast<double>(values.size() - 1)) : 0;
    summary.interval = values.size() > 1 ? bounded(interval_of_values(values), least, most) : of_one;
    return summary;
}

// Student's interval of a few shares may leave the values that are possible, which are no part of what it says.
std::optional<Interval> bounded(std::optional<Interval> interval, double least, double most) {
    if (interval) interval = Interval{std::max(interval->low, least), std::min(interval->high, most)};
    return interval;
}

std::vector<std::string> task_files(const std::vector<std::string>& inputs) {
    std::vector<std::string> files, others;
    for (const auto& input : inputs) {
        std::error_code error;
        const auto found = fs::is_directory(input, error) ? files_in(input)
                           : has_task_rows(input)         ? std::vector{input}
                                                          : std::vector<std::string>();
        if (found.empty()) others.push_back(input);
        files.insert(files.end(), found.begin(), found.end());
    }
    if (!files.empty() && !others.empty()) {
        throw UsageError(files.front() + " has rows of tasks, and " + others.front() +
                         " has none: make a report of each kind");
    }
    return files;
}

std::vector<TaskReport> make_task_reports(const std::vector<std::string>& files) {
    using Key = std::tuple<std::string, std::int64_t, std::string, std::int64_t, std::uint64_t, std::int64_t>;
    std::vector<Key> keys;
    std::vector<TaskReport> reports;
    std::vector<std::vector<std::string>> groups;
    std::set<fs::path> read;  // a file that is named twice counts once
    for (const auto& file : files) {
        if (!read.insert(fs::canonical(file)).second) continue;
        for (const auto& line : rows_of(file)) {
            if (!is_of_tasks(line)) continue;
            const auto row = task_row(line);
            const Key key{row.task, row.task_length, row.dtype, row.items, row.items_seed, row.generator};
            const auto known = std::find(keys.begin(), keys.end(), key) - keys.begin();
            if (known == std::ssize(keys)) {
                keys.push_back(key);
                groups.emplace_back();
                reports.push_back(
                    {row.task, row.symbol, row.task_length, row.items, row.items_seed, row.dtype, {}, {}});
            }
            add_row(reports[static_cast<std::size_t>(known)], groups[static_cast<std::size_t>(known)], row);
        }
    }
    for (auto& report : reports) {
        std::sort(report.ranges.begin(), report.ranges.end());
        for (auto& model : report.models) {
            for (auto& [range, cell] : model.cells) summarize(cell);
        }
    }
    return reports;
}

}  // namespace longbow
