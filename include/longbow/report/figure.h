// Writes the report's charts as self-contained SVG files.
#pragma once

#include <string>
#include <vector>

#include "longbow/core/choice.h"
#include "longbow/report/tables.h"

namespace longbow {

enum class Figure { lengths, positions, training };
template <>
struct ChoiceTable<Figure> {
    static constexpr Choice<Figure> values[] = {{Figure::lengths, "lengths", "the metric against evaluation length"},
                                                {Figure::positions, "positions", "loss by place in the window"},
                                                {Figure::training, "training", "loss while training"}};
};

// Returns a self-contained SVG file with one chart for each table (for Figure::training, one for each tokenizer and
// corpus). Throws DataError if the results have nothing to draw.
std::string report_svg(const std::vector<ReportRun>& runs, Metric metric, Figure figure);

}  // namespace longbow
