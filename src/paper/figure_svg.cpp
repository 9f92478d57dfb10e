// Draws figures as SVG files with panels below each other. The paper's curves are dashed and ours are solid, in one
// frame.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "figures.h"
#include "longbow/core/json.h"
#include "longbow/core/json_number.h"
#include "longbow/core/strings.h"
#include "longbow/report/svg.h"

namespace longbow {

namespace {

ChartSeries paper_series(const FigureCurve& curve) {
    ChartSeries series;
    series.label = curve.label + ", paper";
    series.style = curve.style;
    series.markers = false;
    series.dashed = true;
    for (const auto& point : curve.points) {
        series.x.push_back(point.x);
        series.y.push_back(point.y);
    }
    return series;
}

// Returns our curve of a panel. The corpora that its points were measured on are added to `corpora`.
ChartSeries our_series(const FigurePanel& panel, const FigureCurve& curve, const Lookup& ours,
                       const CurveLookup& validations, std::set<std::string>& corpora) {
    ChartSeries series;
    series.label = curve.label + ", ours";
    series.style = curve.style;
    if (curve.trained) {
        for (const auto& [hours, ppl] : validations(*curve.trained)) {
            series.x.push_back(hours);
            series.y.push_back(ppl);
        }
        return series;
    }
    for (const auto& point : curve.points) {
        const auto y = ours(point.target);
        const auto x = point.x_target ? ours(*point.x_target) : std::nullopt;
        if (!y || !std::isfinite(y->value) || (point.x_target && (!x || !std::isfinite(x->value))))
            continue;  // a diverged model is not drawn
        series.x.push_back(x ? x->value * panel.x_factor : point.x);
        series.y.push_back(y->value * panel.y_factor);
        series.low.push_back(y->low ? *y->low * panel.y_factor : NAN);
        series.high.push_back(y->high ? *y->high * panel.y_factor : NAN);
        if (!y->corpus.empty()) corpora.insert(y->corpus);
        series.notes.push_back(fmt::format("{}: {:g}", series.label, series.y.back()));
    }
    return series;
}

// Returns whether the values span so much (our perplexities or speeds may be of another order than the paper's) that
// they need a logarithmic axis.
bool wants_log(const std::vector<ChartSeries>& series, bool of_x) {
    double low = INFINITY, high = 0;
    for (const auto& one : series) {
        for (const double value : of_x ? one.x : one.y) {
            low = std::min(low, value);
            high = std::max(high, value);
        }
    }
    return low > 0 && high > 8 * low;
}

Chart chart_of(const FigurePanel& panel, const Scale& scale, const Lookup& ours, const CurveLookup& validations) {
    Chart chart;
    chart.title = panel.title;
    const bool lengths = panel.x_label.find("length") != std::string::npos;
    chart.x_label =
        panel.x_label +
        (lengths && scale.divisor != 1 ? fmt::format(", the paper's; measured here at 1/{} of it", scale.divisor) : "");
    chart.y_label = panel.y_label;
    std::set<std::string> corpora;
    bool bars = false;
    for (const auto& curve : panel.curves) {
        if (!curve.points.empty()) chart.series.push_back(paper_series(curve));
        auto own = our_series(panel, curve, ours, validations, corpora);
        bars = bars || std::any_of(own.low.begin(), own.low.end(), [](double low) { return std::isfinite(low); });
        if (!own.x.empty()) chart.series.push_back(std::move(own));
    }
    if (!corpora.empty()) chart.caption = "Ours were measured on " + join({corpora.begin(), corpora.end()}, "; ") + ".";
    if (bars) chart.caption += " Bars are 95 % intervals over blocks of that text.";
    chart.log_x = panel.log_x || wants_log(chart.series, true);
    chart.log_y = panel.log_y || wants_log(chart.series, false);
    return chart;
}

// Returns whether the run is of the target's data set. Its rows name their data set; for a run of an earlier version,
// its path decides.
bool is_of_data_set(const ReportRun& run, const Target& target, const Scale& scale) {
    const auto named =
        std::find_if(run.rows.begin(), run.rows.end(), [](const EvalResult& row) { return !row.data_set.empty(); });
    if (named != run.rows.end()) return named->data_set == scale.data_set(target);
    return scale.divisor != 1 || run.results.find(target.dataset) != std::string::npos;
}

bool model_matches(const ReportRun& run, const Target& target, const Scale& scale) {
    const auto value = [&](const char* key) {
        const auto found = run.settings.find(key);
        return found == run.settings.end() ? std::string() : found->second;
    };
    return value("position.method") == target.method &&
           value("train.length") == std::to_string(scale.length(target.train_length));
}

}  // namespace

CurveLookup validations_in(const std::vector<ReportRun>& runs, const Scale& scale) {
    return [&runs, scale](const Target& target) {
        std::vector<std::pair<double, double>> points;
        for (const auto& run : runs) {
            if (!is_of_data_set(run, target, scale) || !model_matches(run, target, scale) || run.metrics.empty())
                continue;
            points.clear();
            double hours = 0;
            for (const auto& row : run.metrics) {
                if (!row.contains("timing")) continue;
                if (row.value("event", "") == "train") hours = number_at(row["timing"], "seconds") / 3600;
                const bool wanted = row.value("event", "") == "valid" &&
                                    row.value("length", std::int64_t{0}) == scale.length(target.length) &&
                                    std::isfinite(number_at(row, "ppl")) && std::isfinite(hours);
                if (wanted) points.emplace_back(hours, number_at(row, "ppl"));
            }
        }
        return points;
    };
}

std::string figure_svg(const std::string& name, const Scale& scale, const Lookup& ours,
                       const CurveLookup& validations) {
    std::vector<Chart> charts;
    for (const auto& panel : figure_panels(name, scale)) charts.push_back(chart_of(panel, scale, ours, validations));
    const auto& figure = published_figure(name);
    return svg_page(fmt::format("Figure {}. ", figure.number) + figure.caption, scale.banner(), charts);
}

}  // namespace longbow
