#include "task_cells.h"

#include <fmt/core.h>

#include <algorithm>

#include "longbow/core/dtype.h"
#include "longbow/core/error.h"
#include "longbow/core/strings.h"
#include "longbow/probe/task_probe.h"

namespace longbow {

namespace {

constexpr const char* kProbes = "probes.jsonl";

// Returns the cell's place in the ranges of a probe; -1 if it has none, because nothing is measured there.
std::ptrdiff_t range_of(const PlannedProbe& probe, const TaskCell& cell) {
    const auto found = std::find(probe.ranges.begin(), probe.ranges.end(), std::pair{cell.from, cell.to});
    return found == probe.ranges.end() ? -1 : found - probe.ranges.begin();
}

const TaskScore* last_row(const std::vector<TaskScore>& scores, const PlannedModel& model, const PlannedProbe& probe,
                          std::size_t range) {
    const auto found = std::find_if(scores.rbegin(), scores.rend(),
                                    [&](const TaskScore& score) { return is_row_of(score, model, probe, range); });
    return found == scores.rend() ? nullptr : &*found;
}

}  // namespace

void add_task_cells(StudyVariant& variant, const StudyProbe& probe, std::int64_t max_length,
                    std::vector<PlannedModel>& models) {
    const auto& config = variant.config.task;
    if (!config.chosen()) {
        throw ConfigError(fmt::format("{}: probe.kind: tasks: {} has no task.name in its settings or its base",
                                      probe.place, variant.name));
    }
    const auto task = make_task(config);
    const auto buckets = task_buckets(*task, config.length, max_length);
    PlannedProbe planned{probe.kind, kProbes, probe.items, probe.seed, variant.at_evaluation, {}, {}, true, 0};
    for (const auto& [from, to] : kTaskRanges) {
        TaskCell cell{from, to, from == 0 ? task->least_length() : from * config.length + 1, to * config.length,
                      "",   {}};
        const bool measured = std::any_of(buckets.begin(), buckets.end(),
                                          [&, to_here = to](const TaskBucket& one) { return one.to == to_here; });
        if (measured) {
            planned.ranges.emplace_back(from, to);
            planned.tokens.push_back(task->most_tokens(cell.most));
        } else if (task->max_length() > 0 && cell.most > task->max_length()) {
            cell.absent = fmt::format("the task ends at {} {}", task->max_length(), task_entry(config.name).symbol);
        } else {
            cell.absent = fmt::format("the positions end at {} tokens", max_length);
        }
        variant.task_cells.push_back(std::move(cell));
    }
    if (planned.ranges.empty()) return;
    for (const auto index : variant.models) {
        auto& probes = models[index].probes;
        const bool there = std::any_of(probes.begin(), probes.end(),
                                       [&](const PlannedProbe& one) { return one.overrides == planned.overrides; });
        if (!there) probes.push_back(planned);
    }
}

bool is_row_of(const TaskScore& score, const PlannedModel& model, const PlannedProbe& probe, std::size_t range) {
    const auto& task = model.config.task;
    const auto [from, to] = probe.ranges[range];
    const auto dtype = name_of(model.config.train.dtype == DType::fp64 ? DType::fp64 : DType::fp32);
    const auto has = [&](const char* key, const Json& value) {
        return score.row.contains(key) && score.row[key] == value;
    };
    return score.seed == model.config.train.seed && score.items == probe.items && has("probe", probe.kind) &&
           has("seed", probe.seed) && has("overrides", join(probe.overrides, " ")) && has("task", task.name) &&
           has("task_length", task.length) && has("bucket", Json::array({from, to})) && has("dtype", dtype) &&
           has("generator", task_entry(task.name).version) && score.row.contains("updates") &&
           score.row["updates"].is_number() && score.row["updates"].get<std::int64_t>() >= model.updates;
}

std::vector<TaskScore> find_task_scores(PlannedModel& model, const std::filesystem::path& run_dir) {
    const auto run = run_dir / model.name;
    if (model.probes.empty() || !model.trained()) return {};
    auto scores = read_task_scores(run / kProbes);
    if (!is_newer(run / kProbes, run)) return scores;
    for (auto& probe : model.probes) {
        probe.missing = false;
        for (std::size_t range = 0; range < probe.ranges.size(); ++range)
            probe.missing = probe.missing || last_row(scores, model, probe, range) == nullptr;
    }
    return scores;
}

void fill_task_cells(StudyVariant& variant, const PlannedModel& model, const std::vector<TaskScore>& scores) {
    for (const auto& probe : model.probes) {
        if (probe.missing || probe.overrides != variant.at_evaluation) continue;
        for (auto& cell : variant.task_cells) {
            const auto range = range_of(probe, cell);
            if (range < 0) continue;
            if (const auto* score = last_row(scores, model, probe, static_cast<std::size_t>(range)))
                cell.scores.push_back(*score);
        }
    }
}

}  // namespace longbow
