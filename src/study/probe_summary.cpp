// Computes the numbers of a study's probe: the spread over seeds, and differences to the baseline.
#include <algorithm>
#include <numeric>

#include "longbow/report/task_report.h"
#include "probe_cells.h"
#include "probe_kinds.h"

namespace longbow {

namespace {

double mean_of(const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

ProbeSummary summary_of(const ProbeCell& cell, const ProbeCell* baseline, const ProbeKind& kind) {
    ProbeSummary summary;
    std::vector<double> values, differences;
    for (const auto& score : cell.scores) values.push_back(score.value);
    if (values.empty()) return summary;
    const auto over_seeds = summary_of_values(values, cell.scores.front().interval, kind.least, kind.most);
    summary.seeds = over_seeds.seeds;
    summary.mean = over_seeds.mean;
    summary.sd = over_seeds.sd;
    summary.interval = over_seeds.interval;
    if (baseline == nullptr) return summary;
    for (const auto& a : baseline->scores) {
        for (const auto& b : cell.scores) {
            if (a.seed == b.seed) differences.push_back(b.value - a.value);
        }
    }
    summary.pairs = std::ssize(differences);
    if (differences.empty()) return summary;
    summary.difference = mean_of(differences);
    summary.difference_interval =
        bounded(interval_of_values(differences), kind.least - kind.most, kind.most - kind.least);
    return summary;
}

}  // namespace

std::vector<std::vector<ProbeSummary>> summarize_probes(const StudyPlan& plan) {
    std::vector<std::vector<ProbeSummary>> table;
    const auto* kind = find_probe_kind(plan.probe);
    if (kind == nullptr) return table;
    for (const auto& variant : plan.variants) {
        const auto baseline = std::find_if(plan.variants.begin(), plan.variants.end(),
                                           [&](const StudyVariant& other) { return other.name == variant.baseline; });
        auto& summaries = table.emplace_back();
        for (std::size_t i = 0; i < variant.probe_cells.size(); ++i) {
            summaries.push_back(summary_of(
                variant.probe_cells[i], baseline == plan.variants.end() ? nullptr : &baseline->probe_cells[i], *kind));
        }
    }
    return table;
}

}  // namespace longbow
