// Writes the report as one self-contained HTML page with its style, figures and tables inside.
#include "html.h"

#include <set>

#include "charts.h"
#include "longbow/core/strings.h"
#include "longbow/report/escape.h"
#include "longbow/report/format.h"
#include "longbow/report/html_page.h"
#include "longbow/report/text_table.h"

namespace longbow {

namespace {

TextTable::Cell cell_html(const ReportTable& table, const ReportRow& row, std::int64_t length) {
    const auto cell = row.cells.find(length);
    if (cell == row.cells.end()) return {"–"};
    return {cell_text(table, cell->second), std::string(cell->second.best ? " class=\"best\"" : "") + " title=\"" +
                                                escape_html(cell_hint(table, cell->second)) + "\""};
}

std::string table_html(const ReportTable& table) {
    TextTable text{{"Model", "trained at"}, {}, {}};
    for (const auto length : table.lengths) text.header.push_back(length_heading(table, length));
    if (has_growth(table)) text.header.push_back(growth_heading(table));
    for (const auto& row : table.rows) {
        auto& cells = text.rows.emplace_back();
        cells.push_back({"<span class=\"key\" style=\"background:" + style_colour(style_of(table, row)) + "\"></span>" +
                         escape_html(row.label)});
        cells.push_back({row.train_length == 0 ? length_text(0) : with_commas(row.train_length)});
        for (const auto length : table.lengths) cells.push_back(cell_html(table, row, length));
        if (has_growth(table)) cells.push_back({growth_text(table, row, "–")});
    }
    auto html = html_table(text);
    for (const auto& note : table_notes(table)) html += "<p class=\"under\">" + escape_html(note) + "</p>\n";
    return html;
}

const char* const kHowToRead =
    "<h2>How to read this</h2>\n<ul>\n"
    "<li><b>Perplexity</b> is exp of the mean negative log-likelihood of a token; lower is better. It compares models of one tokenizer only; "
    "bits per byte compares across tokenizers.</li>\n"
    "<li><b>Evaluation length</b> is the number of tokens that the model sees at once. The same text is cut into windows of that length; under "
    "protocol <code>paper</code> every token is scored exactly once at every length.</li>\n"
    "<li><b>Growth</b> is the perplexity at the longest length over that at the training length: 1 or less means that the method extrapolates. "
    "Brackets contain the 95 % interval by Student's t over blocks of 1,024 consecutive tokens, the same ones at both lengths (none below 10 "
    "blocks); ± is the standard deviation over seeds.</li>\n"
    "<li>Intervals of single perplexities (hover over a number) are much wider than those of the ratios, because they include the "
    "variation between easy and hard passages, which is the same for all models and lengths.</li>\n</ul>\n";

// Says how many models were measured, and on which corpora.
std::string summary(const std::vector<ReportRun>& runs, const std::vector<ReportTable>& tables) {
    std::set<std::string> checkpoints, corpora;
    for (const auto& run : runs) {
        for (const auto& row : run.rows) checkpoints.insert(row.checkpoint);
    }
    for (const auto& table : tables) corpora.insert(table.corpus());
    return std::to_string(checkpoints.size()) + (checkpoints.size() == 1 ? " model" : " models") +
           ", measured with longbow eval on " + join({corpora.begin(), corpora.end()}, "; ") + ".";
}

}  // namespace

std::string render_html(const std::vector<ReportRun>& runs, const std::vector<ReportTable>& tables) {
    auto html = "<header><h1>Perplexity beyond the training length</h1>\n<p>" + escape_html(summary(runs, tables)) +
                "</p></header>\n";
    for (const auto& table : tables) {
        html += "<h2>" + metric_title(table.metric) + "</h2>\n<p class=\"under\">" + escape_html(table.heading()) +
                "</p>\n" + table_html(table);
        if (table.lengths.size() > 1) html += html_figure(length_chart(table));
        const auto places = position_chart(table);
        if (!places.series.empty()) html += html_figure(places);
    }
    std::string training;
    for (const auto& chart : training_charts(runs, tables)) training += html_figure(chart);
    if (!training.empty()) html += "<h2>Training</h2>\n" + training;
    html += settings_html(runs) + provenance_html(runs) + kHowToRead;
    return html_page("Longbow report", html);
}

}  // namespace longbow
