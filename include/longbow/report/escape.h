// Escapes text for each output format. Names of models, runs and stores come from users and file systems, so every
// format must show them as text and must not interpret them.
#pragma once

#include <string>
#include <vector>

namespace longbow {

// Makes `text` visible and puts it on one line: white space other than the blank becomes a blank; control characters,
// marks that change the direction of writing, and bytes that are not UTF-8 become \x1B, \u202E and the like. Every
// format but CSV starts from this.
std::string printable(const std::string& text);

// Escapes a cell of a table or part of a line for GitHub's Markdown and CommonMark. An '_' within a word stays, since
// it has no meaning there.
std::string escape_markdown(const std::string& text);
// Escapes a cell or part of a caption for pdfLaTeX, with no packages beyond the kernel. The result may also begin a
// table's row.
std::string escape_latex(const std::string& text);
// Does the same, and writes the dash between numbers as LaTeX does.
std::string latex_cell(const std::string& text);
// Escapes text and attribute values of HTML and SVG.
std::string escape_html(const std::string& text);

// Joins the fields by commas, quotes those that need it (RFC 4180) and ends the line. Line breaks and tabs within a
// field stay. A text that begins with = + - @ or a tab and is no number gets an apostrophe in front, since a
// spreadsheet would evaluate it as a formula.
std::string csv_line(const std::vector<std::string>& fields);

}  // namespace longbow
