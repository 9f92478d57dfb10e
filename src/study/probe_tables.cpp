// Builds the tables of a study's probe, its numbers and their differences to the baseline, with their notes and charts.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "longbow/core/strings.h"
#include "probe_kinds.h"
#include "tables.h"

namespace longbow {

namespace {

// All variants have the same columns.
std::vector<std::string> headings(const StudyPlan& plan) {
    std::vector<std::string> headings;
    for (const auto& cell : plan.variants.front().probe_cells) headings.push_back(cell.heading);
    return headings;
}

std::string interval_text(const std::optional<Interval>& interval, int digits, const char* between) {
    return interval ? fmt::format("{:.{}f}{}{:.{}f}", interval->low, digits, between, interval->high, digits) : "";
}
std::string signed_interval(const std::optional<Interval>& interval, int digits) {
    return interval ? fmt::format("[{:+.{}f}, {:+.{}f}]", interval->low, digits, interval->high, digits) : "";
}

// Negative numbers do not go with a dash between them.
const char* between(const ProbeKind& kind) { return kind.least < 0 ? " to " : "–"; }

bool same_seeds(const StudyTable& table) {
    std::set<std::int64_t> counts;
    for (const auto& of_variant : table.probes) {
        for (const auto& one : of_variant) counts.insert(one.seeds);
    }
    counts.erase(0);
    return counts.size() <= 1;
}

std::string value_text(const ProbeSummary& one, int digits, bool with_count) {
    if (one.seeds == 0) return "";
    auto text = fmt::format("{:.{}f}", one.mean, digits);
    if (one.seeds > 1) text += fmt::format(" ± {:.{}f}", one.sd, digits);
    return with_count ? text + fmt::format(" ({})", one.seeds) : text;
}

std::string with(std::string text, const std::string& word, const std::string& value) {
    if (const auto at = text.find(word); at != std::string::npos) text.replace(at, word.size(), value);
    return text;
}

// The variants of one chart: those of a task, or all of them.
std::string chart_of(const StudyVariant& variant, const StudySettings& study) {
    return study.probe.kind == kProbeOfTasks ? variant.config.task.name : "";
}

ChartSeries series_of(const StudyVariant& variant, const std::vector<ProbeSummary>& summaries, const ProbeKind& kind) {
    ChartSeries series;
    series.label = variant.name;
    for (std::size_t at = 0; at < summaries.size(); ++at) {
        const auto& one = summaries[at];
        const auto& cell = variant.probe_cells[at];
        if (one.seeds == 0 || !cell.x) continue;
        const bool bars = one.seeds > 1;
        const auto interval = one.interval.value_or(Interval{NAN, NAN});
        series.x.push_back(*cell.x);
        series.y.push_back(one.mean);
        series.low.push_back(bars ? std::max(kind.least, one.mean - one.sd) : interval.low);
        series.high.push_back(bars ? std::min(kind.most, one.mean + one.sd) : interval.high);
        series.notes.push_back(series.label + ", " + cell.heading + ": " + value_text(one, cell.digits, true));
    }
    return series;
}

}  // namespace

TextTable probe_table(const StudyPlan& plan, const StudySettings& study, const StudyTable& table,
                      const TableStyle& style) {
    if (!study.probe.chosen()) return {};
    const bool with_count = !same_seeds(table);
    const auto& kind = kind_of(study.probe);
    return table_of_lines(plan, headings(plan), style, [&](std::size_t variant) {
        TableLine values{kind.label, {}}, intervals{"95 %", {}};
        for (std::size_t at = 0; at < table.probes[variant].size(); ++at) {
            const auto& one = table.probes[variant][at];
            const auto digits = plan.variants[variant].probe_cells[at].digits;
            values.texts.push_back(value_text(one, digits, with_count));
            intervals.texts.push_back(interval_text(one.interval, digits, between(kind)));
        }
        return std::vector<TableLine>{values, intervals};
    });
}

TextTable probe_difference_table(const StudyPlan& plan, const StudySettings& study, const StudyTable& table,
                                 const TableStyle& style) {
    if (!study.probe.chosen()) return {};
    return table_of_lines(plan, headings(plan), style, [&](std::size_t variant) -> std::vector<TableLine> {
        const auto& baseline = plan.variants[variant].baseline;
        if (baseline.empty()) return {};
        TableLine differences{"- " + baseline, {}}, intervals{"95 %", {}};
        for (std::size_t at = 0; at < table.probes[variant].size(); ++at) {
            const auto& one = table.probes[variant][at];
            const auto digits = plan.variants[variant].probe_cells[at].digits;
            differences.texts.push_back(one.pairs > 0 ? fmt::format("{:+.{}f}", one.difference, digits) : "");
            intervals.texts.push_back(signed_interval(one.difference_interval, digits));
        }
        return {differences, intervals};
    });
}

std::string asked_by_probe(const StudyPlan& plan, const StudySettings& study) {
    std::set<std::string> tasks;
    bool any = false;
    for (const auto& variant : plan.variants) {
        if (variant.probe_rows.empty()) continue;
        any = true;
        if (variant.config.task.chosen()) tasks.insert(variant.config.task.name);
    }
    if (!any) return "Nothing is measured yet.";
    auto text = with(kind_of(study.probe).measured, "{tasks}", join({tasks.begin(), tasks.end()}, ", "));
    text = with(with(std::move(text), "{items}", with_commas(study.probe.items)), "{split}", study.probe.split);
    return "Measured on " + with(std::move(text), "{seed}", std::to_string(study.probe.seed)) + ".";
}

std::vector<std::string> probe_notes(const StudyPlan& plan, const StudySettings& study) {
    std::vector<std::string> notes;
    const auto& kind = kind_of(study.probe);
    const bool several = study.seeds.size() > 1;
    const bool shares = kind.most == 1;
    notes.push_back(
        fmt::format("{}: mean{} over {} seed{}; 95 %: {}. L is the length up to which a model was trained.", kind.note,
                    several ? " ± standard deviation" : "", study.seeds.size(), several ? "s" : "",
                    several ? std::string("interval of the mean by Student's t") +
                                  (shares ? ", cut off at 0 and 1," : ",") + " for other trainings on these items"
                            : kind.interval));
    if (!study.baseline.empty())
        notes.emplace_back(
            "Differences are paired by seed, with the same items; each interval is by Student's t over seeds and by "
            "itself, without a correction for their number.");
    if (several)
        notes.emplace_back(
            "An interval without width says that the seeds agree on these items, not that all trainings would.");
    std::set<std::string> absent;
    for (const auto& variant : plan.variants) {
        for (const auto& cell : variant.probe_cells) {
            if (!cell.absent.empty()) absent.insert(variant.name + ": " + cell.absent);
        }
    }
    if (!absent.empty()) notes.push_back("A dash: " + join({absent.begin(), absent.end()}, "; ") + ".");
    return notes;
}

std::vector<Chart> probe_charts(const StudyPlan& plan, const StudySettings& study, const StudyTable& table) {
    std::vector<Chart> charts;
    if (!study.probe.chosen()) return charts;
    const auto& kind = kind_of(study.probe);
    std::vector<std::string> names;  // in the order of the plan
    for (const auto& variant : plan.variants) {
        if (std::find(names.begin(), names.end(), chart_of(variant, study)) == names.end())
            names.push_back(chart_of(variant, study));
    }
    for (const auto& name : names) {
        Chart chart;
        chart.title = title_of(study) + (name.empty() ? "" : ": " + name);
        chart.x_label = study.probe.lengths.empty() ? kind.x_label : "tokens";
        chart.y_label = kind.label;
        chart.log_x = true;
        if (study.probe.lengths.empty()) {
            chart.marked_x = 1;
            chart.marked_label = "trained length";
            for (const auto& cell : plan.variants.front().probe_cells) {
                if (cell.x) chart.x_ticks.push_back(*cell.x);
            }
        }
        for (std::size_t i = 0; i < plan.variants.size(); ++i) {
            if (chart_of(plan.variants[i], study) != name) continue;
            auto series = series_of(plan.variants[i], table.probes[i], kind);
            series.style = chart.series.size();
            if (!series.x.empty()) chart.series.push_back(std::move(series));
        }
        chart.caption =
            asked_by_probe(plan, study) + " Bars are " +
            (study.seeds.size() > 1 ? "one standard deviation over seeds either way." : "intervals at 95 %.");
        if (!chart.series.empty()) charts.push_back(std::move(chart));
    }
    return charts;
}

}  // namespace longbow
