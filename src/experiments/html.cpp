// The report as one page that opens anywhere: style, figures and tables inside, nothing fetched.
#include <algorithm>
#include <cmath>
#include <set>

#include "format.h"
#include "longbow/core/strings.h"
#include "page_style.h"
#include "svg.h"

namespace longbow {

namespace {

// Known methods keep their colour and marker on every page; others take what is free.
std::size_t style_of(const ReportTable& table, const ReportRow& row) {
    static const std::vector<std::string> known{"alibi", "sinusoidal", "rotary", "t5"};
    const auto index = [&](const ReportRow& one) { return static_cast<std::size_t>(&one - table.rows.data()); };
    std::set<std::string> positions;
    for (const auto& one : table.rows) positions.insert(one.position);
    if (positions.size() != table.rows.size()) return index(row);
    const auto found = std::find(known.begin(), known.end(), row.position);
    if (found != known.end()) return static_cast<std::size_t>(found - known.begin());
    std::size_t next = known.size();
    for (const auto& one : table.rows) {
        if (&one == &row) break;
        if (std::find(known.begin(), known.end(), one.position) == known.end()) ++next;
    }
    return next;
}

std::string figure(const Chart& chart, const std::string& caption) {
    std::string legend;  // on narrow screens, where the labels at the lines' ends take scrolling to see
    for (const auto& series : chart.series) {
        legend += "<span><span class=\"key\" style=\"background:" + style_colour(series.style) + "\"></span>" + escape_html(series.label) +
                  "</span>";
    }
    return "<figure><div class=\"legend\">" + legend + "</div><div class=\"chart\">" + chart_svg(chart) + "</div><figcaption>" + caption +
           "</figcaption></figure>\n";
}

// The training length, when all rows share it.
std::optional<double> shared_train_length(const ReportTable& table) {
    for (const auto& row : table.rows) {
        if (row.train_length != table.rows.front().train_length) return std::nullopt;
    }
    return static_cast<double>(table.rows.front().train_length);
}

std::string length_figure(const ReportTable& table, Metric metric) {
    Chart chart;
    chart.title = metric_title(metric) + " against evaluation length";
    chart.x_label = "evaluation length (tokens)";
    chart.y_label = metric_title(metric);
    chart.log_x = true;
    double low = INFINITY, high = 0;
    for (const auto length : table.lengths) chart.x_ticks.push_back(static_cast<double>(length));
    for (const auto& row : table.rows) {
        ChartSeries series;
        series.label = row.label;
        series.style = style_of(table, row);
        for (const auto& [length, cell] : row.cells) {
            if (cell.seeds == 0) continue;
            series.x.push_back(static_cast<double>(length));
            series.y.push_back(cell.mean);
            series.notes.push_back(row.label + strprintf(", length %lld: ", static_cast<long long>(length)) + cell_text(cell, metric));
            low = std::min(low, cell.mean);
            high = std::max(high, cell.mean);
        }
        if (!series.x.empty()) chart.series.push_back(series);
    }
    if (chart.series.empty()) return "";
    chart.log_y = high > 8 * low && low > 0;
    chart.marked_x = shared_train_length(table);
    chart.marked_label = "training length";
    if (table.lengths.size() < 2) return "";
    return figure(chart, escape_html(metric_title(metric)) +
                             " at each evaluation length (logarithmic axis). A method that extrapolates stays flat, "
                             "or falls, to the right of the training length.");
}

std::string position_figure(const ReportTable& table) {
    Chart chart;
    chart.title = "Loss against the place in the window";
    chart.x_label = "tokens in view (place in the window)";
    chart.y_label = "loss (nats a token)";
    chart.log_x = true;
    std::set<std::int64_t> lengths;
    for (const auto& row : table.rows) {
        if (row.longest == nullptr || row.longest->position_begin.size() < 3 || row.longest->diverged()) continue;
        auto series = position_series(*row.longest);
        series.label = row.label;
        series.style = style_of(table, row);
        series.markers = false;
        lengths.insert(row.longest->length);
        chart.series.push_back(series);
    }
    if (chart.series.empty()) return "";
    chart.marked_x = shared_train_length(table);
    chart.marked_label = "training length";
    std::vector<std::string> texts;
    for (const auto length : lengths) texts.push_back(with_commas(length));
    return figure(chart, "Mean loss of the tokens that have so many tokens in view, at evaluation length " + join(texts, ", ") +
                             ". Where the line rises past the training length, the longer input does harm.");
}

std::vector<ReportRun::Point> thinned(const std::vector<ReportRun::Point>& points, std::size_t limit) {
    if (points.size() <= limit) return points;
    std::vector<ReportRun::Point> few;
    const double step = static_cast<double>(points.size()) / static_cast<double>(limit);
    for (double at = 0; at < static_cast<double>(points.size()); at += step) few.push_back(points[static_cast<std::size_t>(at)]);
    few.back() = points.back();
    return few;
}

std::string curves_figure(const std::vector<ReportRun>& runs, const std::vector<ReportTable>& tables) {
    Chart chart;
    chart.title = "Training loss against updates";
    chart.x_label = "update";
    chart.y_label = "training loss (nats a token)";
    std::size_t next_style = 0;
    for (const auto& run : runs) {
        if (run.train_nll.size() < 2) continue;
        ChartSeries series;
        series.label = run.name;
        series.style = next_style++;
        for (const auto& row : tables.front().rows) {
            if (!run.rows.empty() && row.longest != nullptr && row.longest->checkpoint == run.rows.front().checkpoint) {
                series.style = style_of(tables.front(), row);
                series.label = row.label;
            }
        }
        series.markers = false;
        for (const auto& point : thinned(run.train_nll, 300)) {
            series.x.push_back(point.update);
            series.y.push_back(point.value);
        }
        chart.series.push_back(series);
    }
    if (chart.series.empty()) return "";
    return "<h2>Training</h2>\n" + figure(chart, "Loss on the training text, as logged while training.");
}

std::string table_html(const ReportTable& table, Metric metric) {
    std::string html = "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">Model</th><th scope=\"col\">trained at</th>";
    for (const auto length : table.lengths) html += "<th scope=\"col\">" + with_commas(length) + "</th>";
    const auto pair = common_growth(table);
    if (has_growth(table)) {
        html += pair ? "<th scope=\"col\">growth " + with_commas(pair->first) + " → " + with_commas(pair->second) + "</th>"
                     : std::string("<th scope=\"col\">growth</th>");
    }
    html += "</tr></thead><tbody>\n";
    for (const auto& row : table.rows) {
        html += "<tr><th scope=\"row\"><span class=\"key\" style=\"background:" + style_colour(style_of(table, row)) + "\"></span>" +
                escape_html(row.label) + "</th><td>" + with_commas(row.train_length) + "</td>";
        for (const auto length : table.lengths) {
            const auto cell = row.cells.find(length);
            if (cell == row.cells.end()) {
                html += "<td>–</td>";
                continue;
            }
            const auto& c = cell->second;
            const auto hint = c.interval
                                  ? strprintf("95 %% interval %.2f to %.2f (%s, %s blocks), %s tokens", c.interval->low, c.interval->high,
                                              c.interval_method.c_str(), with_commas(c.blocks).c_str(), with_commas(c.tokens).c_str())
                              : c.seeds > 1 ? strprintf("mean of %lld seeds", static_cast<long long>(c.seeds))
                                            : strprintf("no interval, %s tokens", with_commas(c.tokens).c_str());
            html += std::string("<td") + (best_row(table, length) == &row ? " class=\"best\"" : "") + " title=\"" + hint + "\">" +
                    cell_text(c, metric) + "</td>";
        }
        if (has_growth(table)) {
            html += "<td>" + (row.growth ? "×\u2009" + growth_text(*row.growth) : std::string("–"));
            if (row.growth && !pair)
                html += strprintf(" (%lld → %lld)", static_cast<long long>(row.growth->from), static_cast<long long>(row.growth->to));
            html += "</td>";
        }
        html += "</tr>\n";
    }
    return html + "</tbody></table></div>\n";
}

std::string settings_html(const std::vector<ReportRun>& runs) {
    std::vector<const ReportRun*> with;
    std::set<std::string> keys;
    for (const auto& run : runs) {
        if (run.settings.empty()) continue;
        with.push_back(&run);
        for (const auto& [key, value] : run.settings) keys.insert(key);
    }
    if (with.empty()) return "";
    const auto value = [](const ReportRun& run, const std::string& key) {
        const auto found = run.settings.find(key);
        return found == run.settings.end() ? std::string("–") : found->second;
    };
    std::string differing, common;
    for (const auto& key : keys) {
        const auto first = value(*with.front(), key);
        const bool same = std::all_of(with.begin(), with.end(), [&](const ReportRun* run) { return value(*run, key) == first; });
        auto& rows = same ? common : differing;
        rows += "<tr><th scope=\"row\"><code>" + escape_html(key) + "</code></th>";
        for (const auto* run : with) {
            rows += "<td>" + escape_html(value(*run, key)) + "</td>";
            if (same) break;
        }
        rows += "</tr>\n";
    }
    std::string html = "<h2>Settings</h2>\n";
    if (!differing.empty()) {
        html += "<p>What differs between the runs:</p><div class=\"scroll\"><table class=\"text\"><thead><tr><th scope=\"col\">key</th>";
        for (const auto* run : with) html += "<th scope=\"col\">" + escape_html(run->name) + "</th>";
        html += "</tr></thead><tbody>\n" + differing + "</tbody></table></div>\n";
    }
    if (!common.empty()) {
        html += std::string("<details><summary>") + (with.size() > 1 ? "What all runs share" : "All settings") +
                "</summary><div class=\"scroll\"><table class=\"text\"><tbody>\n" + common + "</tbody></table></div></details>\n";
    }
    return html;
}

std::string provenance_html(const std::vector<ReportRun>& runs) {
    std::string html =
        "<details><summary>Fingerprints</summary><div class=\"scroll\"><table class=\"text\"><thead><tr><th scope=\"col\">run</th>"
        "<th scope=\"col\">update</th><th scope=\"col\">weights</th><th scope=\"col\">data</th><th "
        "scope=\"col\">tokenizer</th></tr></thead><tbody>\n";
    std::set<std::string> seen;
    for (const auto& run : runs) {
        for (const auto& row : run.rows) {
            if (!seen.insert(row.name + row.checkpoint + row.data).second) continue;
            html += "<tr><th scope=\"row\">" + escape_html(row.name) + "</th><td>" + with_commas(row.updates) + "</td>";
            for (const auto& print : {row.checkpoint, row.data, row.tokenizer}) html += "<td><code>" + escape_html(print) + "</code></td>";
            html += "</tr>\n";
        }
    }
    return html + "</tbody></table></div></details>\n";
}

const char* const kHowToRead =
    "<h2>How to read this</h2>\n<ul>\n"
    "<li><b>Perplexity</b> is exp of the mean negative log-likelihood of a token; lower is better. It compares models of one tokenizer "
    "only; "
    "bits per byte compares across tokenizers.</li>\n"
    "<li><b>Evaluation length</b> is the number of tokens that the model sees at once. The same text is cut into windows of that length; "
    "under "
    "protocol <code>paper</code> every token is scored exactly once at every length.</li>\n"
    "<li><b>Growth</b> is the perplexity at the longest length over that at the training length: 1 or less means that the method "
    "extrapolates. "
    "Brackets hold the 95 % interval by Student's t over blocks of 1,024 consecutive tokens, the same ones at both lengths (none below 10 "
    "blocks); ± is the standard deviation over seeds.</li>\n"
    "<li>Intervals of single perplexities (hover over a number) are much wider than those of the ratios, because they hold the spread "
    "between easy and hard passages, which is the same for all models and lengths.</li>\n</ul>\n";

}  // namespace

std::string render_html(const std::vector<ReportRun>& runs, const std::vector<ReportTable>& tables, Metric metric) {
    std::set<std::string> checkpoints;
    for (const auto& run : runs) {
        for (const auto& row : run.rows) checkpoints.insert(row.checkpoint);
    }
    std::string html =
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, "
        "initial-scale=1\">\n<title>Longbow report</title>\n<style>\n" +
        std::string(kPageStyle) + "</style>\n</head>\n<body>\n<main>\n";
    html += "<header><h1>Perplexity beyond the training length</h1>\n<p>" + std::to_string(checkpoints.size()) +
            (checkpoints.size() == 1 ? " model" : " models") + ", measured with <code>longbow eval</code>.</p></header>\n";
    for (const auto& table : tables) {
        html += "<h2>" + escape_html(metric_title(metric)) + "</h2>\n<p class=\"under\">" + escape_html(table.heading()) + "</p>\n";
        html += table_html(table, metric) + length_figure(table, metric) + position_figure(table);
    }
    html += curves_figure(runs, tables) + settings_html(runs) + provenance_html(runs) + kHowToRead;
    return html + "</main>\n</body>\n</html>\n";
}

}  // namespace longbow
