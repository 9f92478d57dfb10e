// Computes a chart's axes: the mapping from values to pixels, and the places of the ticks.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "longbow/report/svg.h"

namespace longbow {

struct Axis {
    double low = 0, high = 1, begin = 0, end = 1;  // the range of values, and its ends in pixels
    bool log = false;
    [[nodiscard]] double map(double value) const;
    // Returns whether the axis can show the value: it is finite and, on a logarithmic axis, above 0.
    [[nodiscard]] bool shows(double value) const;
};

// Returns an axis over all points (and error bars) of the series that can be shown, with some room at both ends.
// Without any, its range is [0, 1], or [1, 2] on a logarithmic axis.
Axis axis_over(const std::vector<ChartSeries>& series, bool of_x, bool log, double begin, double end);

std::vector<double> x_ticks_of(const Chart& chart, const Axis& x);
std::vector<double> y_ticks_of(const Axis& y);
std::string tick_text(double value);
// Returns which ticks get a number, so that no two numbers overlap: the last one and, from the left, every one for
// which there is room.
std::vector<bool> labelled_ticks(const std::vector<double>& ticks, const Axis& x);

}  // namespace longbow
