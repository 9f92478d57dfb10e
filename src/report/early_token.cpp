#include "longbow/report/early_token.h"

#include <fmt/core.h>

#include <cmath>

#include "charts.h"
#include "longbow/core/error.h"
#include "longbow/core/interval.h"
#include "longbow/core/strings.h"
#include "longbow/report/format.h"
#include "longbow/report/method_style.h"

namespace longbow {

namespace {

std::vector<double> difference(const std::vector<double>& a, const std::vector<double>& b) {
    if (a.size() != b.size()) throw DataError("the lengths of an early-token analysis must score the same targets");
    std::vector<double> result(a.size());
    for (std::size_t i = 0; i < a.size(); ++i) result[i] = a[i] - b[i];
    return result;
}

Nats mean_of(const std::vector<double>& values) {
    const auto estimate = mean_estimate({block_sums(values)}, block_counts(static_cast<std::int64_t>(values.size())));
    return {estimate.mean, estimate.interval};
}

std::string with_interval(const Nats& nats) {
    if (!std::isfinite(nats.value)) return "no value";
    return fmt::format("{:+.4f}", nats.value) +
           (nats.interval ? fmt::format(" [{:+.4f}, {:+.4f}]", nats.interval->low, nats.interval->high) : "");
}

Json to_json(const Nats& nats) {
    return {{"nats", nats.value}, {"ci", nats.interval ? Json{nats.interval->low, nats.interval->high} : Json()}};
}

std::string ppl_text(const EvalResult& row) {
    if (std::isfinite(row.ppl)) return fmt::format("{:.2f}", row.ppl);
    return row.diverged() ? "diverged" : "no value";
}

// Says what was measured: the corpus, how much of it, and how.
std::string measured_text(const EarlyTokenAnalysis& analysis) {
    const auto& first = analysis.lengths.front().disjoint;
    return corpus_text(first.data_name, first.data) + ", " + analysis.split + " split, " + with_commas(first.tokens) +
           fmt::format(" tokens, sliding windows of stride {}", analysis.stride);
}

// Adds a point to a curve, with the interval of its perplexity.
void add_point(ChartSeries& series, const EvalResult& row) {
    if (!std::isfinite(row.ppl)) return;  // a diverged model is not drawn
    series.x.push_back(static_cast<double>(row.length));
    series.y.push_back(row.ppl);
    series.low.push_back(row.ppl_ci ? row.ppl_ci->low : NAN);
    series.high.push_back(row.ppl_ci ? row.ppl_ci->high : NAN);
}

std::string interval_note(std::int64_t blocks) {
    if (blocks < kLeastBlocks) {
        return fmt::format("\nNo intervals: {} block{} of 1,024 targets, and {} are needed.\n", blocks,
                           blocks == 1 ? "" : "s", kLeastBlocks);
    }
    return "\nIntervals are 95 % (Student's t over " + with_commas(blocks) + " blocks of 1,024 targets, paired).\n";
}

}  // namespace

EarlyTokenAnalysis analyse_early_tokens(std::vector<EarlyTokenLength> rows,
                                        const std::vector<std::vector<double>>& disjoint,
                                        const std::vector<std::vector<double>>& sliding) {
    if (rows.empty() || rows.size() != disjoint.size() || rows.size() != sliding.size())
        throw Error("an early-token analysis needs both series at each length");
    EarlyTokenAnalysis analysis;
    const auto& first = rows.front().disjoint;
    analysis.name = first.name;
    analysis.position = first.position;
    analysis.split = first.split;
    analysis.train_length = first.train_length;
    analysis.stride = rows.front().sliding.stride;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        rows[i].early_cost = mean_of(difference(disjoint[i], sliding[i]));
        if (i == 0) continue;
        EarlyTokenGain gain;
        gain.from = first.length;
        gain.to = rows[i].disjoint.length;
        const auto whole = difference(disjoint[0], disjoint[i]);
        const auto context = difference(sliding[0], sliding[i]);
        gain.gain = mean_of(whole);
        gain.context = mean_of(context);
        gain.early = mean_of(difference(whole, context));
        gain.share = gain.gain.value > 0 ? gain.early.value / gain.gain.value : NAN;
        analysis.gains.push_back(gain);
    }
    analysis.lengths = std::move(rows);
    return analysis;
}

std::string early_token_text(const EarlyTokenAnalysis& analysis) {
    const auto& first = analysis.lengths.front();
    auto text = printable(analysis.name) +
                fmt::format(": {}, trained at length {}; ", method_title(analysis.position),
                            length_text(analysis.train_length)) +
                printable(measured_text(analysis)) + "\n\n";
    text += "length  ppl without overlap  ppl sliding  early tokens cost, nats a token\n";
    for (const auto& row : analysis.lengths) {
        text +=
            fmt::format("{:6}  {:>19}  {:>11}  ", row.disjoint.length, ppl_text(row.disjoint), ppl_text(row.sliding)) +
            with_interval(row.early_cost) + "\n";
    }
    for (const auto& gain : analysis.gains) {
        text += fmt::format("\nfrom {} to {}: gain {} = fewer early tokens ", gain.from, gain.to,
                            with_interval(gain.gain)) +
                with_interval(gain.early) + " + longer context " + with_interval(gain.context) + "\n    ";
        if (!std::isfinite(gain.gain.value))
            text += "a model that diverged has no gain";
        else if (std::isnan(gain.share))
            text += "windows without overlap gain nothing: there is no gain to explain";
        else
            text += fmt::format("the early-token curse explains {:.0f} % of the gain", 100 * gain.share);
        if (gain.share > 1) text += " (more than all of it: with early tokens aside, the longer context does harm)";
        text += "\n";
    }
    return text + interval_note(first.disjoint.blocks());
}

Json early_token_json(const EarlyTokenAnalysis& analysis) {
    const auto& first = analysis.lengths.front().disjoint;
    Json json{{"name", analysis.name},
              {"position", analysis.position},
              {"train_length", analysis.train_length},
              {"data_name", first.data_name},
              {"data", first.data},
              {"split", analysis.split},
              {"stride", analysis.stride},
              {"tokens", first.tokens},
              {"ci_method", kIntervalMethod},
              {"blocks", first.blocks()},
              {"lengths", Json::array()},
              {"gains", Json::array()}};
    for (const auto& row : analysis.lengths) {
        json["lengths"].push_back({{"length", row.disjoint.length},
                                   {"nll", row.disjoint.nll},
                                   {"ppl", row.disjoint.ppl},
                                   {"sliding_nll", row.sliding.nll},
                                   {"sliding_ppl", row.sliding.ppl},
                                   {"early_cost", to_json(row.early_cost)},
                                   {"position_begin", row.disjoint.position_begin},
                                   {"tokens_by_position", row.disjoint.tokens_by_position},
                                   {"nll_by_position", row.disjoint.nll_by_position}});
    }
    for (const auto& gain : analysis.gains) {
        json["gains"].push_back({{"from", gain.from},
                                 {"to", gain.to},
                                 {"gain", to_json(gain.gain)},
                                 {"early", to_json(gain.early)},
                                 {"context", to_json(gain.context)},
                                 {"share_early", std::isnan(gain.share) ? Json(nullptr) : Json(gain.share)}});
    }
    return json;
}

std::string early_token_svg(const EarlyTokenAnalysis& analysis) {
    Chart places;
    places.title = "Loss by place in the window, without overlap";
    places.x_label = "tokens in view (place in the window)";
    places.y_label = "loss (nats a token)";
    places.log_x = true;
    Chart lengths;
    lengths.title =
        "Perplexity against length: without overlap, and sliding, where no token but the first window's is early";
    lengths.x_label = "evaluation length (tokens)";
    lengths.y_label = "perplexity";
    lengths.log_x = true;
    for (auto* chart : {&places, &lengths}) {
        if (analysis.train_length > 0) chart->marked_x = static_cast<double>(analysis.train_length);
        chart->marked_label = "training length";
    }
    ChartSeries disjoint, sliding;
    disjoint.label = "without overlap";
    sliding.label = fmt::format("sliding, stride {}", analysis.stride);
    sliding.style = 1;
    std::size_t style = 0;
    for (const auto& row : analysis.lengths) {
        auto series = position_series({&row.disjoint});
        series.label = fmt::format("length {}", row.disjoint.length);
        series.style = style++;
        series.markers = false;
        if (!row.disjoint.diverged()) places.series.push_back(std::move(series));
        lengths.x_ticks.push_back(static_cast<double>(row.disjoint.length));
        add_point(disjoint, row.disjoint);
        add_point(sliding, row.sliding);
    }
    for (auto& one : {disjoint, sliding}) {
        if (!one.x.empty()) lengths.series.push_back(one);
    }
    if (analysis.lengths.front().disjoint.ppl_ci)
        lengths.caption =
            "Bars are 95 % intervals over blocks of the text, which both curves share: the text's differences are paired.";
    std::vector<Chart> charts;
    for (const auto& chart : {places, lengths}) {
        if (!chart.series.empty()) charts.push_back(chart);
    }
    return svg_page("The early-token curse: " + method_title(analysis.position) +
                        fmt::format(", trained at {}; ", length_text(analysis.train_length)) + measured_text(analysis),
                    "", charts);
}

}  // namespace longbow
