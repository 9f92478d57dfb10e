// Computes the numbers of a study's probe: the spread over seeds, and differences to the baseline.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "probe_cells.h"
#include "probe_kinds.h"

namespace longbow {

namespace {

double mean_of(const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double deviation_of(const std::vector<double>& values, double mean) {
    double sum = 0;
    for (const auto value : values) sum += (value - mean) * (value - mean);
    return values.size() > 1 ? std::sqrt(sum / static_cast<double>(values.size() - 1)) : 0;
}

// Student's interval of a few shares may leave the values that are possible, which are no part of what it says.
std::optional<Interval> bounded(std::optional<Interval> interval, double least, double most) {
    if (interval) interval = Interval{std::max(interval->low, least), std::min(interval->high, most)};
    return interval;
}

ProbeSummary summary_of(const ProbeCell& cell, const ProbeCell* baseline, const ProbeKind& kind) {
    ProbeSummary summary;
    std::vector<double> values, differences;
    for (const auto& score : cell.scores) values.push_back(score.value);
    if (values.empty()) return summary;
    summary.seeds = std::ssize(values);
    summary.mean = mean_of(values);
    summary.sd = deviation_of(values, summary.mean);
    summary.interval =
        values.size() > 1 ? bounded(interval_of_values(values), kind.least, kind.most) : cell.scores.front().interval;
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
