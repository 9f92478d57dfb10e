// Declares what the report's output formats share: numbers as text, headings of columns, notes under a table.
#pragma once

#include <string>
#include <vector>

#include "longbow/report/tables.h"

namespace longbow {

// Returns "austen/store (xxh3:..)", or "data xxh3:.." if the name is empty.
std::string corpus_text(const std::string& name, const std::string& fingerprint);

// Returns a multiple of the training length: "L/4" for 0.25, "L" for 1, "2L" for 2.
std::string multiple_text(double multiple);

std::string metric_title(Metric metric);  // "Perplexity"
std::string metric_key(Metric metric);    // "ppl"

// Formats a cell as "59.10", or "diverged". With several seeds "59.10 ± 0.31" (`plus_minus` stands between the
// numbers), followed by the number of seeds if the table's cells differ in it.
std::string cell_text(const ReportTable& table, const ReportCell& cell, const std::string& plus_minus = " ± ");
// Does the same without a table; `with_count` says whether the number of seeds follows.
std::string cell_text(const ReportCell& cell, Metric metric, bool with_count, const std::string& plus_minus = " ± ");
// Returns "59.02–59.18", the interval over seeds, or over blocks of the text for a single seed; empty if it has none.
std::string interval_text(const ReportCell& cell, Metric metric);
// Returns the cell's 95 % interval, "59.02 to 59.18 (student-t, 95 blocks), 97,280 tokens", or the reason why it has
// none.
std::string cell_hint(const ReportTable& table, const ReportCell& cell);
// Formats a growth as "1.456 [1.449, 1.463]", or "1.456 ± 0.008" for several seeds. The two lengths follow if the
// table's rows differ in them. `none` is returned for a row without growth.
std::string growth_text(const ReportTable& table, const ReportRow& row, const std::string& none,
                        const std::string& plus_minus = " ± ");
std::string growth_heading(const ReportTable& table);
bool has_growth(const ReportTable& table);
// Returns "1024", followed by the number of scored tokens if the table's lengths differ in it.
std::string length_heading(const ReportTable& table, std::int64_t length);
// Returns what a reader must know to read the table, in notes of a sentence or two.
std::vector<std::string> table_notes(const ReportTable& table);

std::string render_markdown(const std::vector<ReportTable>& tables);
std::string render_csv(const std::vector<ReportTable>& tables, Metric metric);
std::string render_latex(const std::vector<ReportTable>& tables);
std::string render_json(const std::vector<ReportTable>& tables);
std::string render_html(const std::vector<ReportRun>& runs, const std::vector<ReportTable>& tables);

enum class TextFormat { markdown, csv, latex, json, html };
template <>
struct ChoiceTable<TextFormat> {
    static constexpr Choice<TextFormat> values[] = {
        {TextFormat::markdown, "markdown", "GitHub's Markdown"},
        {TextFormat::csv, "csv", "a row a value"},
        {TextFormat::latex, "latex", "tables for pdfLaTeX"},
        {TextFormat::json, "json", "everything that is known of each value"},
        {TextFormat::html, "html", "a page with charts"}};
};

std::string render_report(const std::vector<ReportRun>& runs, Metric metric, TextFormat format);

}  // namespace longbow
