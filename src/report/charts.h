// The report's charts, for its page and for figures: each curve is one model, measured alike at all of its points.
#pragma once

#include <cstddef>
#include <vector>

#include "longbow/report/svg.h"
#include "longbow/report/tables.h"

namespace longbow {

// A chart without series is one that has nothing to draw.
// The table's metric against the evaluation length, with error bars.
Chart length_chart(const ReportTable& table);
// Loss by place in the window, at each model's longest length.
Chart position_chart(const ReportTable& table);
// Loss while training, a chart for each tokenizer and corpus.
std::vector<Chart> training_charts(const std::vector<ReportRun>& runs, const std::vector<ReportTable>& tables);

// Known methods keep their colour and marker on every page; others take what is free.
std::size_t style_of(const ReportTable& table, const ReportRow& row);

// Losses by place in the window, drawn coarser than they are kept: four points an octave, since single places are few tokens each. Several
// rows are seeds of one model: their mean, with the standard deviation as error bars.
ChartSeries position_series(const std::vector<const EvalResult*>& seeds);

}  // namespace longbow
