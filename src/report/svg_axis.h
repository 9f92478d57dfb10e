// A chart's axes: from values to pixels, and where the ticks are.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "longbow/report/svg.h"

namespace longbow {

struct Axis {
    double low = 0, high = 1, begin = 0, end = 1;  // values, and the pixels of them
    bool log = false;
    [[nodiscard]] double map(double value) const;
    // Finite, and on a logarithmic axis above 0.
    [[nodiscard]] bool shows(double value) const;
};

// Over all points (and error bars) of the series that can be shown, with some room at both ends; [0, 1] ([1, 2] of a logarithmic one) where
// there are none.
Axis axis_over(const std::vector<ChartSeries>& series, bool of_x, bool log, double begin, double end);

std::vector<double> x_ticks_of(const Chart& chart, const Axis& x);
std::vector<double> y_ticks_of(const Axis& y);
std::string tick_text(double value);
// Ticks whose numbers stand free of each other: the last one, and from the left every one that there is room for.
std::vector<bool> labelled_ticks(const std::vector<double>& ticks, const Axis& x);

}  // namespace longbow
