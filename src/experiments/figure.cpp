// The report's charts as one picture.
#include <algorithm>

#include "charts.h"
#include "longbow/core/error.h"
#include "longbow/experiments/report.h"

namespace longbow {

Figure figure_from(const std::string& name) {
    if (name == "lengths") return Figure::lengths;
    if (name == "positions") return Figure::positions;
    if (name == "training") return Figure::training;
    throw UsageError("unknown figure '" + name + "': known are lengths, positions, training");
}

std::string report_svg(const std::vector<ReportRun>& runs, Metric metric, Figure figure) {
    const auto tables = make_tables(runs, metric);
    std::vector<Chart> charts;
    if (figure == Figure::training) {
        charts = training_charts(runs, tables);
    } else {
        for (const auto& table : tables) charts.push_back(figure == Figure::lengths ? length_chart(table) : position_chart(table));
        std::erase_if(charts, [](const Chart& chart) { return chart.series.empty(); });
    }
    if (charts.empty()) {
        throw DataError(figure == Figure::training  ? "no training to draw: none of the results lies in a run directory with metrics.jsonl"
                        : figure == Figure::lengths ? "nothing to draw: no model of these results has a value"
                                                    : "nothing to draw: no row of these results has losses by position");
    }
    return svg_page("", "", charts);
}

}  // namespace longbow
