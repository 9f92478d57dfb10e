// Makes the report's charts, for its page and for figures. Each curve is one model, measured alike at all of its
// points.
#pragma once

#include <cstddef>
#include <vector>

#include "longbow/report/svg.h"
#include "longbow/report/tables.h"

namespace longbow {

// Draws the table's metric against the evaluation length, with error bars. Here and below, a chart without series has
// nothing to draw.
Chart length_chart(const ReportTable& table);
// Draws the loss by place in the window, at the longest length of each model.
Chart position_chart(const ReportTable& table);
// Draws the loss during training, with one chart for each tokenizer and corpus.
std::vector<Chart> training_charts(const std::vector<ReportRun>& runs, const std::vector<ReportTable>& tables);

// Returns the style of a row: known methods have the same colour and marker on every page, other methods take styles
// that are free.
std::size_t style_of(const ReportTable& table, const ReportRow& row);

// Makes a curve of the loss by place in the window. It is drawn more coarsely than it is stored, with four points an
// octave, since single places have few tokens. Several rows are seeds of one model: the curve is their mean, with the
// standard deviation as error bars.
ChartSeries position_series(const std::vector<const EvalResult*>& seeds);

}  // namespace longbow
