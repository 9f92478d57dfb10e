// Writes the report's charts as one SVG file.
#include "longbow/report/figure.h"

#include <algorithm>

#include "charts.h"
#include "longbow/core/error.h"

namespace longbow {

namespace {

std::string nothing_to_draw(const std::vector<ReportRun>& runs, Figure figure) {
    if (figure == Figure::lengths) return "nothing to draw: no model of these results has a value";
    if (figure == Figure::positions) return "nothing to draw: no row of these results has losses by position";
    const bool logged =
        std::any_of(runs.begin(), runs.end(), [](const ReportRun& run) { return !run.train_nll.empty(); });
    return logged
               ? "no training curve can be drawn: no run has logged its loss twice (log.every says how often it does)"
               : "no training curve can be drawn: no result is in a run directory with metrics.jsonl";
}

}  // namespace

std::string report_svg(const std::vector<ReportRun>& runs, Metric metric, Figure figure) {
    const auto tables = make_tables(runs, metric);
    std::vector<Chart> charts;
    if (figure == Figure::training) {
        charts = training_charts(runs, tables);
    } else {
        for (const auto& table : tables)
            charts.push_back(figure == Figure::lengths ? length_chart(table) : position_chart(table));
        std::erase_if(charts, [](const Chart& chart) { return chart.series.empty(); });
    }
    if (charts.empty()) {
        throw DataError(nothing_to_draw(runs, figure));
    }
    return svg_page("", "", charts);
}

}  // namespace longbow
