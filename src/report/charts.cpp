#include "charts.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "longbow/core/interval.h"
#include "longbow/core/strings.h"
#include "longbow/report/format.h"
#include "longbow/report/method_style.h"

namespace longbow {

namespace {

// Returns the training length if it is known and all rows share it.
std::optional<double> shared_train_length(const ReportTable& table) {
    for (const auto& row : table.rows) {
        if (row.train_length == 0 || row.train_length != table.rows.front().train_length) return std::nullopt;
    }
    return static_cast<double>(table.rows.front().train_length);
}

void mark_train_length(Chart& chart, const ReportTable& table) {
    chart.marked_x = shared_train_length(table);
    chart.marked_label = "training length";
}

ChartSeries length_series(const ReportTable& table, const ReportRow& row) {
    ChartSeries series;
    series.label = row.label;
    series.style = style_of(table, row);
    series.line = table.same_targets();
    for (const auto& [length, cell] : row.cells) {
        series.x.push_back(static_cast<double>(length));
        series.y.push_back(cell.mean);  // NaN where no seed has a value
        const bool spread = cell.seeds > 1;
        series.low.push_back(spread ? cell.mean - cell.sd : cell.interval ? cell.interval->low : NAN);
        series.high.push_back(spread ? cell.mean + cell.sd : cell.interval ? cell.interval->high : NAN);
        series.notes.push_back(row.label + fmt::format(", length {}: ", length) + cell_text(table, cell) + "; " +
                               cell_hint(table, cell));
    }
    return series;
}

bool any_finite(const std::vector<double>& values) {
    return std::any_of(values.begin(), values.end(), [](double value) { return std::isfinite(value); });
}

std::string bars_text(const ReportTable& table) {
    bool spread = false, interval = false, few = false;
    for (const auto& row : table.rows) {
        for (const auto& [length, cell] : row.cells) {
            spread = spread || cell.seeds > 1;
            interval = interval || cell.interval.has_value();
            few = few || (cell.seeds == 1 && cell.blocks < kLeastBlocks);
        }
    }
    std::string text;
    if (interval)
        text +=
            " Bars are 95 % intervals over blocks of the text, whose easy and hard passages all models share: to see whether two models differ, "
            "use the table or longbow compare.";
    if (spread) text += " Bars of models with several seeds are one standard deviation over seeds either way.";
    if (few) text += fmt::format(" No bars: they need {} blocks of text.", kLeastBlocks);
    return text;
}

bool wants_log(const std::vector<ChartSeries>& series) {
    double low = INFINITY, high = 0;
    for (const auto& one : series) {
        for (const double value : one.y) {
            if (!std::isfinite(value)) continue;
            low = std::min(low, value);
            high = std::max(high, value);
        }
    }
    return low > 0 && high > 8 * low;
}

// Returns the greatest length at which a model has losses by place, and its seeds there; no seeds if there is none.
std::pair<std::int64_t, std::vector<const EvalResult*>> longest_usable(const ReportRow& row) {
    std::vector<const EvalResult*> usable;
    for (auto at = row.measurements.rbegin(); at != row.measurements.rend(); ++at) {
        std::copy_if(at->second.begin(), at->second.end(), std::back_inserter(usable), [](const EvalResult* one) {
            return one->position_begin.size() > 2 && !one->diverged() && one->reached();
        });
        if (!usable.empty()) return {at->first, usable};
    }
    return {0, {}};
}

constexpr double kFewTokens = 100;  // a mean over fewer is drawn hollow

// Holds buckets of places in the window, joined to four an octave.
struct Places {
    std::vector<double> x, nll, tokens;  // tokens: 0 where a row of an earlier version does not say
};

// Returns the number of scored tokens in a bucket of `width` places. Rows of earlier versions do not say it: there,
// each window scored each place once (the last window perhaps not all), unless windows overlap.
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
        const double end = i + 1 < row.position_begin.size() ? static_cast<double>(row.position_begin[i + 1])
                                                             : static_cast<double>(row.length);
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

std::size_t style_of(const ReportTable& table, const ReportRow& row) {
    const auto others = styled_methods().size();
    const auto index = [&](const ReportRow& one) { return static_cast<std::size_t>(&one - table.rows.data()); };
    std::set<std::string> positions;
    for (const auto& one : table.rows) positions.insert(one.position);
    if (positions.size() != table.rows.size()) return index(row);
    if (const auto style = method_style(row.position); style < others) return style;
    std::size_t next = others;
    for (const auto& one : table.rows) {
        if (&one == &row) break;
        if (method_style(one.position) == others) ++next;
    }
    return next;
}

Chart length_chart(const ReportTable& table) {
    Chart chart;
    const auto metric = metric_title(table.metric);
    chart.title = metric + ": " + table.heading();
    chart.x_label = "evaluation length (tokens)";
    chart.y_label = metric;
    chart.log_x = true;
    for (const auto length : table.lengths) chart.x_ticks.push_back(static_cast<double>(length));
    std::vector<std::string> without;
    for (const auto& row : table.rows) {
        auto series = length_series(table, row);
        if (any_finite(series.y))
            chart.series.push_back(std::move(series));
        else
            without.push_back(row.label);
    }
    chart.log_y = wants_log(chart.series);
    mark_train_length(chart, table);
    chart.caption = metric + " at each evaluation length (logarithmic axis" + (chart.log_y ? "es" : "") +
                    "). A method that extrapolates stays flat, or falls, to the right of the training length." +
                    bars_text(table);
    if (!table.same_targets()) chart.caption += " Points are not joined: each length scores other tokens of the text.";
    if (!without.empty()) chart.caption += " Not drawn, since it has no value: " + join(without, ", ") + ".";
    return chart;
}

Chart position_chart(const ReportTable& table) {
    Chart chart;
    chart.x_label = "tokens in view (place in the window)";
    chart.y_label = "loss (nats a token)";
    chart.log_x = true;
    std::set<std::int64_t> lengths;
    std::vector<std::int64_t> of_series;
    bool weak = false, bars = false;
    for (const auto& row : table.rows) {
        const auto [length, seeds] = longest_usable(row);
        if (seeds.empty()) continue;
        auto series = position_series(seeds);
        series.label = row.label;
        series.style = style_of(table, row);
        series.markers = false;
        lengths.insert(length);
        of_series.push_back(length);
        weak = weak || std::find(series.weak.begin(), series.weak.end(), true) != series.weak.end();
        bars = bars || !series.low.empty();
        chart.series.push_back(std::move(series));
    }
    if (chart.series.empty()) return chart;
    for (std::size_t i = 0; lengths.size() > 1 && i < chart.series.size(); ++i)
        chart.series[i].label += fmt::format(", at {}", of_series[i]);
    std::vector<std::string> texts;
    for (const auto length : lengths) texts.push_back(with_commas(length));
    chart.title = "Loss by place in the window of " + join(texts, ", ") + " tokens: " + table.heading();
    chart.caption = "Mean loss by the number of context tokens, at evaluation length " + join(texts, ", ") +
                    ". Where the line rises past the training length, the longer input does harm.";
    if (table.tokenizers.size() > 1)
        chart.caption += " Tokens are each model's own: between tokenizers only the shapes can be compared.";
    if (bars) chart.caption += " Bars are one standard deviation over seeds either way.";
    if (weak) chart.caption += " Hollow points are means over fewer than 100 tokens.";
    mark_train_length(chart, table);
    return chart;
}

ChartSeries position_series(const std::vector<const EvalResult*>& seeds) {
    ChartSeries series;
    std::vector<Places> all;
    for (const auto* row : seeds) {
        auto places = places_of(*row);
        // All seeds were cut alike, since they scored the same text.
        if (all.empty() || places.x == all.front().x) all.push_back(std::move(places));
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
        series.notes.push_back(
            fmt::format("{:.4f} nats a token", mean) +
            (tokens > 0 ? fmt::format(", mean of {:.0f} token{}", tokens, tokens == 1 ? "" : "s") : ""));
        if (all.size() < 2) continue;
        const double sd = std::sqrt(squares / (count - 1));
        series.low.push_back(mean - sd);
        series.high.push_back(mean + sd);
    }
    return series;
}

}  // namespace longbow
