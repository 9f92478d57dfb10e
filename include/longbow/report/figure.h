// Writes the report's charts as self-contained SVG files.
#pragma once

#include <string>
#include <vector>

#include "longbow/report/tables.h"

namespace longbow {

enum class Figure { lengths, positions, training };
// Throws UsageError that lists the known figures.
Figure figure_from(const std::string& name);
// Returns a self-contained SVG file with one chart for each table (for Figure::training, one for each tokenizer and
// corpus). Throws DataError if the results have nothing to draw.
std::string report_svg(const std::vector<ReportRun>& runs, Metric metric, Figure figure);

}  // namespace longbow
