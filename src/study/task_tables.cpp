// Builds the tables of the probe `tasks`, the exact match by length and its differences to the baseline, with their
// notes.
#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "longbow/core/strings.h"
#include "longbow/probe/task_probe.h"
#include "longbow/report/task_report.h"
#include "tables.h"

namespace longbow {

namespace {

std::vector<std::string> range_headings() {
    std::vector<std::string> headings;
    for (const auto& [from, to] : kTaskRanges) headings.push_back(range_heading(from, to));
    return headings;
}

std::string interval_text(const std::optional<Interval>& interval, const char* format) {
    return interval ? fmt::format(fmt::runtime(format), interval->low, interval->high) : "";
}

bool same_seeds(const StudyTable& table) {
    std::set<std::int64_t> counts;
    for (const auto& of_variant : table.tasks) {
        for (const auto& one : of_variant) counts.insert(one.seeds);
    }
    counts.erase(0);
    return counts.size() <= 1;
}

std::string value_text(const TaskSummary& one, bool with_count) {
    if (one.seeds == 0) return "";
    auto text = fmt::format("{:.3f}", one.mean);
    if (one.seeds > 1) text += fmt::format(" ± {:.3f}", one.sd);
    return with_count ? text + fmt::format(" ({})", one.seeds) : text;
}

}  // namespace

TextTable task_table(const StudyPlan& plan, const StudySettings& study, const StudyTable& table,
                     const TableStyle& style) {
    if (!study.probe.chosen()) return {};
    const bool with_count = !same_seeds(table);
    return table_of_lines(plan, range_headings(), style, [&](std::size_t variant) {
        TableLine values{"exact match", {}}, intervals{"95 %", {}};
        for (const auto& one : table.tasks[variant]) {
            values.texts.push_back(value_text(one, with_count));
            intervals.texts.push_back(interval_text(one.interval, "{:.3f}–{:.3f}"));
        }
        return std::vector<TableLine>{values, intervals};
    });
}

TextTable task_difference_table(const StudyPlan& plan, const StudySettings& study, const StudyTable& table,
                                const TableStyle& style) {
    if (!study.probe.chosen()) return {};
    return table_of_lines(plan, range_headings(), style, [&](std::size_t variant) -> std::vector<TableLine> {
        const auto& baseline = plan.variants[variant].baseline;
        if (baseline.empty()) return {};
        TableLine differences{"- " + baseline, {}}, intervals{"95 %", {}};
        for (const auto& one : table.tasks[variant]) {
            differences.texts.push_back(one.pairs > 0 ? fmt::format("{:+.3f}", one.difference) : "");
            intervals.texts.push_back(interval_text(one.difference_interval, "[{:+.3f}, {:+.3f}]"));
        }
        return {differences, intervals};
    });
}

std::string asked_tasks(const StudyPlan& plan, const StudySettings& study) {
    std::set<std::string> tasks;
    for (const auto& variant : plan.variants) {
        for (const auto& cell : variant.task_cells) {
            if (!cell.scores.empty()) tasks.insert(variant.config.task.name);
        }
    }
    if (tasks.empty()) return "Nothing is measured yet.";
    return fmt::format("Measured on new items of {}: {} for each range of lengths, seed {}.",
                       join({tasks.begin(), tasks.end()}, ", "), with_commas(study.probe.items), study.probe.seed);
}

std::vector<std::string> task_notes(const StudyPlan& plan, const StudySettings& study) {
    std::vector<std::string> notes;
    const bool several = study.seeds.size() > 1;
    notes.push_back(fmt::format(
        "Exact match, the share of items whose whole answer is right: mean{} over {} seed{}; 95 %: {}. L is the length "
        "up to which a model was trained.",
        several ? " ± standard deviation" : "", study.seeds.size(), several ? "s" : "",
        several ? "interval of the mean by Student's t, cut off at 0 and 1, for other trainings on these items"
                : "Wilson's interval, for other items and this training"));
    if (!study.baseline.empty())
        notes.emplace_back(
            "Differences are paired by seed, with the same items; each interval is by Student's t over seeds and by "
            "itself, without a correction for their number.");
    if (several)
        notes.emplace_back(
            "An interval without width says that the seeds agree on these items, not that all trainings would.");
    std::set<std::string> absent;
    for (const auto& variant : plan.variants) {
        for (const auto& cell : variant.task_cells) {
            if (!cell.absent.empty()) absent.insert(variant.name + ": " + cell.absent);
        }
    }
    if (!absent.empty()) notes.push_back("A dash: " + join({absent.begin(), absent.end()}, "; ") + ".");
    return notes;
}

std::vector<Chart> task_charts(const StudyPlan& plan, const StudySettings& study, const StudyTable& table) {
    std::vector<Chart> charts;
    if (!study.probe.chosen()) return charts;
    std::vector<std::string> names;  // in the order of the plan
    for (const auto& variant : plan.variants) {
        if (std::find(names.begin(), names.end(), variant.config.task.name) == names.end())
            names.push_back(variant.config.task.name);
    }
    for (const auto& name : names) {
        Chart chart;
        chart.title = title_of(study) + ": " + name;
        chart.x_label = "longest items of a range, as a multiple of the trained length";
        chart.y_label = "exact match";
        chart.log_x = true;
        chart.marked_x = 1;
        chart.marked_label = "trained length";
        for (const auto& [from, to] : kTaskRanges) chart.x_ticks.push_back(static_cast<double>(to));
        const auto headings = range_headings();
        for (std::size_t i = 0; i < plan.variants.size(); ++i) {
            if (plan.variants[i].config.task.name != name) continue;
            ChartSeries series;
            series.label = plan.variants[i].name;
            series.style = chart.series.size();
            for (std::size_t at = 0; at < table.tasks[i].size(); ++at) {
                const auto& one = table.tasks[i][at];
                if (one.seeds == 0) continue;
                series.x.push_back(chart.x_ticks[at]);
                series.y.push_back(one.mean);
                const bool bars = one.seeds > 1;
                series.low.push_back(bars ? std::max(0.0, one.mean - one.sd) : one.interval->low);
                series.high.push_back(bars ? std::min(1.0, one.mean + one.sd) : one.interval->high);
                series.notes.push_back(series.label + ", " + headings[at] + ": " + value_text(one, true));
            }
            if (!series.x.empty()) chart.series.push_back(std::move(series));
        }
        chart.caption = asked_tasks(plan, study) + (study.seeds.size() > 1
                                                        ? " Bars are one standard deviation over seeds either way."
                                                        : " Bars are Wilson's intervals.");
        if (!chart.series.empty()) charts.push_back(std::move(chart));
    }
    return charts;
}

}  // namespace longbow
