// Computes the exact match of a study's models on their tasks: the spread over seeds, and differences to the baseline.
#include <algorithm>
#include <numeric>

#include "longbow/report/task_report.h"
#include "task_cells.h"

namespace longbow {

namespace {

double mean_of(const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

TaskSummary summary_of(const TaskCell& cell, const TaskCell* baseline) {
    TaskSummary summary;
    std::vector<double> values, differences;
    for (const auto& score : cell.scores) values.push_back(score.exact_match);
    if (values.empty()) return summary;
    const auto shares = summary_of_shares(values, cell.scores.front().interval);
    summary.seeds = shares.seeds;
    summary.mean = shares.mean;
    summary.sd = shares.sd;
    summary.interval = shares.interval;
    if (baseline == nullptr) return summary;
    for (const auto& a : baseline->scores) {
        for (const auto& b : cell.scores) {
            if (a.seed == b.seed) differences.push_back(b.exact_match - a.exact_match);
        }
    }
    summary.pairs = std::ssize(differences);
    if (differences.empty()) return summary;
    summary.difference = mean_of(differences);
    summary.difference_interval = bounded(interval_of_values(differences), -1, 1);
    return summary;
}

}  // namespace

std::vector<std::vector<TaskSummary>> summarize_tasks(const StudyPlan& plan) {
    std::vector<std::vector<TaskSummary>> table;
    for (const auto& variant : plan.variants) {
        const auto baseline = std::find_if(plan.variants.begin(), plan.variants.end(),
                                           [&](const StudyVariant& other) { return other.name == variant.baseline; });
        auto& summaries = table.emplace_back();
        for (std::size_t i = 0; i < variant.task_cells.size(); ++i) {
            summaries.push_back(summary_of(variant.task_cells[i],
                                           baseline == plan.variants.end() ? nullptr : &baseline->task_cells[i]));
        }
    }
    return table;
}

}  // namespace longbow
