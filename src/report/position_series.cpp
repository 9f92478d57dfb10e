#include <algorithm>
#include <cmath>

#include "charts.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

constexpr double kFewTokens = 100;  // a mean over fewer is drawn hollow

// Buckets of places, some of them joined: four an octave.
struct Places {
    std::vector<double> x, nll, tokens;  // tokens: 0 where a row of before does not tell
};

// Scored tokens of a bucket of `width` places. A row that does not tell (of before): each of its windows scored each place, the last window
// perhaps not all, unless windows overlap.
double tokens_of(const EvalResult& row, std::size_t bucket, double width) {
    if (bucket < row.tokens_by_position.size()) return static_cast<double>(row.tokens_by_position[bucket]);
    return row.stride == row.length ? static_cast<double>(row.windows) * width : 0;
}

Places places_of(const EvalResult& row) {
    Places places;
    double sum = 0, weight = 0, place_sum = 0, tokens = 0, next = 1;
    const bool counted = row.tokens_by_position.size() == row.position_begin.size();
    for (std::size_t i = 0; i < row.position_begin.size() && i < row.nll_by_position.size(); ++i) {
        const auto begin = static_cast<double>(row.position_begin[i]);
        const double end =
            i + 1 < row.position_begin.size() ? static_cast<double>(row.position_begin[i + 1]) : static_cast<double>(row.length);
        const double width = std::max(1.0, end - begin);
        const double share = counted ? tokens_of(row, i, width) : width;
        sum += row.nll_by_position[i] * share;
        place_sum += std::log2(begin + (width + 1) / 2) * share;
        weight += share;
        tokens += tokens_of(row, i, width);
        if (end >= next || i + 1 == row.position_begin.size()) {
            places.x.push_back(std::exp2(place_sum / weight));
            places.nll.push_back(sum / weight);
            places.tokens.push_back(tokens);
            sum = weight = place_sum = tokens = 0;
            while (next <= end) next *= std::exp2(0.25);
        }
    }
    return places;
}

}  // namespace

ChartSeries position_series(const std::vector<const EvalResult*>& seeds) {
    ChartSeries series;
    std::vector<Places> all;
    for (const auto* row : seeds) {
        auto places = places_of(*row);
        if (all.empty() || places.x == all.front().x) all.push_back(std::move(places));  // the same text was cut alike for every seed
    }
    const auto count = static_cast<double>(all.size());
    for (std::size_t i = 0; i < all.front().x.size(); ++i) {
        double mean = 0, squares = 0;
        for (const auto& one : all) mean += one.nll[i] / count;
        for (const auto& one : all) squares += (one.nll[i] - mean) * (one.nll[i] - mean);
        const double tokens = all.front().tokens[i];
        series.x.push_back(all.front().x[i]);
        series.y.push_back(mean);
        series.weak.push_back(tokens > 0 && tokens < kFewTokens);
        series.notes.push_back(strprintf("%.4f nats a token", mean) +
                               (tokens > 0 ? strprintf(", mean of %.0f token%s", tokens, tokens == 1 ? "" : "s") : ""));
        if (all.size() < 2) continue;
        const double sd = std::sqrt(squares / (count - 1));
        series.low.push_back(mean - sd);
        series.high.push_back(mean + sd);
    }
    return series;
}

}  // namespace longbow
