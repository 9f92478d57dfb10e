// Draws a study: the mean over seeds against the evaluation length, a line for each model.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "longbow/core/strings.h"
#include "tables.h"

namespace longbow {

namespace {

Chart chart_of(const StudyPlan& plan, const StudySettings& study, const StudyTable& table, std::size_t stride) {
    const bool multiples = !study.multiples.empty();
    Chart chart;
    chart.title = title_of(study) + (study.strides.size() > 1 ? ", " + stride_title(study, stride) : "");
    chart.x_label = multiples ? "evaluation length, as a multiple of the training length" : "evaluation length";
    chart.y_label = metric_title(table.metric);
    chart.log_x = true;
    if (multiples) {
        chart.x_ticks = study.multiples;
        chart.marked_x = 1;
        chart.marked_label = "training length";
    }
    const auto headings = column_headings(study);
    double low = INFINITY, high = 0;
    for (std::size_t i = 0; i < plan.variants.size(); ++i) {
        ChartSeries series;
        series.label = plan.variants[i].name;
        series.style = i;
        const auto& cells = table.cells[stride][i];
        for (std::size_t at = 0; at < cells.size(); ++at) {
            const auto& cell = cells[at].cell;
            if (cell.seeds == 0) continue;
            series.x.push_back(multiples ? study.multiples[at] : static_cast<double>(study.lengths[at]));
            series.y.push_back(cell.mean);
            series.low.push_back(cell.seeds > 1 ? cell.mean - cell.sd : NAN);
            series.high.push_back(cell.seeds > 1 ? cell.mean + cell.sd : NAN);
            series.notes.push_back(series.label + ", " + headings[at] + ": " + cell_text(cell, table.metric, true));
            low = std::min(low, cell.mean);
            high = std::max(high, cell.mean);
        }
        if (!series.x.empty()) chart.series.push_back(std::move(series));
    }
    chart.log_y = high > 8 * low;
    chart.caption = what_was_measured(plan, study);
    if (study.seeds.size() > 1) chart.caption += " Bars are one standard deviation over seeds either way.";
    return chart;
}

}  // namespace

std::vector<Chart> study_charts(const StudyPlan& plan, const StudySettings& study, const StudyTable& table) {
    std::vector<Chart> charts;
    for (std::size_t stride = 0; stride < study.strides.size(); ++stride)
        charts.push_back(chart_of(plan, study, table, stride));
    for (auto& chart : probe_charts(plan, study, table)) charts.push_back(std::move(chart));
    return charts;
}

std::string study_svg(const StudyPlan& plan, const StudySettings& study, const StudyTable& table) {
    auto charts = study_charts(plan, study, table);
    std::erase_if(charts, [](const Chart& chart) { return chart.series.empty(); });
    return charts.empty() ? "" : svg_page("", "", charts);
}

}  // namespace longbow
