// The report's charts as files that stand alone.
#pragma once

#include <string>
#include <vector>

#include "longbow/report/tables.h"

namespace longbow {

enum class Figure { lengths, positions, training };
// Throws UsageError naming the known ones.
Figure figure_from(const std::string& name);
// A file that stands alone: a chart a table (for training: one for models of one tokenizer and corpus). Throws DataError when nothing of
// the results can be drawn.
std::string report_svg(const std::vector<ReportRun>& runs, Metric metric, Figure figure);

}  // namespace longbow
