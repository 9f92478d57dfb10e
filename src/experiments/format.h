// What the report's formats share: numbers as text, and the growth column.
#pragma once

#include <string>

#include "longbow/experiments/report.h"
#include "svg.h"

namespace longbow {

std::string metric_title(Metric metric);  // "Perplexity"
std::string metric_key(Metric metric);    // "ppl"

// "59.10", with several seeds "59.10 ± 0.31" (plus_minus stands between).
std::string cell_text(const ReportCell& cell, Metric metric, const std::string& plus_minus = " ± ");
// "1.456 [1.449, 1.463]"; "1.456 ± 0.008" of several seeds.
std::string growth_text(const ReportGrowth& growth, const std::string& plus_minus = " ± ");
// The pair of lengths that every row's growth has, or nullopt when rows differ.
std::optional<std::pair<std::int64_t, std::int64_t>> common_growth(const ReportTable& table);
bool has_growth(const ReportTable& table);
// The least mean of a column, which tables set in bold (no row when there is one row only).
const ReportRow* best_row(const ReportTable& table, std::int64_t length);

// Fields quoted where they need it, joined by commas, with the line's end.
std::string csv_line(std::vector<std::string> fields);
std::string latex_escape(const std::string& text);

// A row's losses by place in the window, drawn coarser than they are kept: four points an octave, since single places are few tokens each.
ChartSeries position_series(const EvalResult& row);

std::string render_html(const std::vector<ReportRun>& runs, const std::vector<ReportTable>& tables, Metric metric);

}  // namespace longbow
