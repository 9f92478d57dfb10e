// The tables of a study before they have a format, and the texts around them.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "longbow/report/svg.h"
#include "longbow/report/text_table.h"
#include "longbow/study/study.h"

namespace longbow {

// Which of the study's strides, and how a format writes an empty cell and escapes a text.
struct TableStyle {
    std::size_t stride;
    std::string none;
    std::string (*escape)(const std::string&);
};

// A line of a variant in a table: what it shows, and its text in each column.
struct TableLine {
    std::string what;
    std::vector<std::string> texts;  // empty: nothing to show
};
// Returns a table with the lines of each variant of the plan. Lines without a text are left out, but for a first one.
TextTable table_of_lines(const StudyPlan& plan, const std::vector<std::string>& headings, const TableStyle& style,
                         const std::function<std::vector<TableLine>(std::size_t variant)>& lines_of);

TextTable value_table(const StudyPlan& plan, const StudySettings& study, const StudyTable& table,
                      const TableStyle& style);
// Returns a table without rows if nothing is compared.
TextTable difference_table(const StudyPlan& plan, const StudySettings& study, const StudyTable& table,
                           const TableStyle& style);

// Returns the headings of the lengths: "64", or "2L" for a multiple of the training length.
std::vector<std::string> column_headings(const StudySettings& study);
std::string title_of(const StudySettings& study);
std::string stride_title(const StudySettings& study, std::size_t stride);
std::string differences_title(const StudySettings& study);
std::string what_was_measured(const StudyPlan& plan, const StudySettings& study);
// Returns what a reader must know to read the tables, in notes of a sentence or two.
std::vector<std::string> notes_of(const StudyPlan& plan, const StudySettings& study, const StudyTable& table);

// Returns a chart for each stride, and then those of the probe.
std::vector<Chart> study_charts(const StudyPlan& plan, const StudySettings& study, const StudyTable& table);

// The same of a study's probe (probe_tables.cpp); the tables have no rows if the study has none.
TextTable probe_table(const StudyPlan& plan, const StudySettings& study, const StudyTable& table,
                      const TableStyle& style);
TextTable probe_difference_table(const StudyPlan& plan, const StudySettings& study, const StudyTable& table,
                                 const TableStyle& style);
std::string asked_by_probe(const StudyPlan& plan, const StudySettings& study);
std::vector<std::string> probe_notes(const StudyPlan& plan, const StudySettings& study);
// Returns a chart for each task, or one for all models.
std::vector<Chart> probe_charts(const StudyPlan& plan, const StudySettings& study, const StudyTable& table);
std::string probe_csv(const StudyPlan& plan, const StudySettings& study, const StudyTable& table);
Json probe_cell_json(const ProbeCell& cell, const ProbeSummary& summary, const StudyProbe& probe);

// Formats for programs (render_data.cpp).
std::string study_csv(const StudyPlan& plan, const StudySettings& study, const StudyTable& table);
std::string study_json(const StudyPlan& plan, const StudySettings& study, const StudyTable& table);

}  // namespace longbow
