// What the report's formats share: numbers as text, headings of columns, notes under a table.
#pragma once

#include <string>
#include <vector>

#include "longbow/report/tables.h"

namespace longbow {

// "austen/store (xxh3:..)"; "data xxh3:.." where no name is known.
std::string corpus_text(const std::string& name, const std::string& fingerprint);

std::string metric_title(Metric metric);  // "Perplexity"
std::string metric_key(Metric metric);    // "ppl"

// "59.10"; with several seeds "59.10 ± 0.31" (plus_minus stands between), and how many where the table's cells have unlike numbers; "diverged".
std::string cell_text(const ReportTable& table, const ReportCell& cell, const std::string& plus_minus = " ± ");
// The 95 % interval, or what stands for it: "59.02 to 59.18 (student-t, 95 blocks), 97,280 tokens".
std::string cell_hint(const ReportTable& table, const ReportCell& cell);
// "1.456 [1.449, 1.463]"; "1.456 ± 0.008" of several seeds; the lengths behind it where rows differ in them.
std::string growth_text(const ReportTable& table, const ReportRow& row, const std::string& none, const std::string& plus_minus = " ± ");
std::string growth_heading(const ReportTable& table);
bool has_growth(const ReportTable& table);
// "1024", with the number of tokens scored where lengths differ in it.
std::string length_heading(const ReportTable& table, std::int64_t length);
// What the reader must know to read the table, a sentence or two each.
std::vector<std::string> table_notes(const ReportTable& table);

std::string render_markdown(const std::vector<ReportTable>& tables);
std::string render_csv(const std::vector<ReportTable>& tables, Metric metric);
std::string render_latex(const std::vector<ReportTable>& tables);
std::string render_json(const std::vector<ReportTable>& tables);
std::string render_html(const std::vector<ReportRun>& runs, const std::vector<ReportTable>& tables);

// format: markdown | csv | latex | json | html. Throws UsageError naming them.
std::string render_report(const std::vector<ReportRun>& runs, Metric metric, const std::string& format);

}  // namespace longbow
