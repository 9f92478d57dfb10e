#include <algorithm>
#include <cmath>

#include "format.h"

namespace longbow {

ChartSeries position_series(const EvalResult& row) {
    ChartSeries series;
    double sum = 0, weight = 0, place_sum = 0, next = 1;
    for (std::size_t i = 0; i < row.position_begin.size() && i < row.nll_by_position.size(); ++i) {
        const auto begin = static_cast<double>(row.position_begin[i]);
        const double end =
            i + 1 < row.position_begin.size() ? static_cast<double>(row.position_begin[i + 1]) : static_cast<double>(row.length);
        const double width = std::max(1.0, end - begin);
        sum += row.nll_by_position[i] * width;
        place_sum += std::log2(begin + (width + 1) / 2) * width;
        weight += width;
        if (end >= next || i + 1 == row.position_begin.size()) {
            series.x.push_back(std::exp2(place_sum / weight));
            series.y.push_back(sum / weight);
            sum = weight = place_sum = 0;
            while (next <= end) next *= std::exp2(0.25);
        }
    }
    return series;
}

}  // namespace longbow
