// Names of models, runs and stores come from users and file systems: each format gets them as text that it shows and does not obey.
#pragma once

#include <string>
#include <vector>

namespace longbow {

// On one line and visible: white space other than the blank becomes a blank; control characters, marks that turn the direction of writing,
// and bytes that are not UTF-8 become \x1B, \u202E and the like. What every format but CSV starts from.
std::string printable(const std::string& text);

// A cell of a table or part of a line, for GitHub's Markdown and CommonMark; '_' within a word stays as it is, since there it means nothing.
std::string escape_markdown(const std::string& text);
// A cell or part of a caption, for pdfLaTeX with no package but what the kernel has; also at the beginning of a table's row.
std::string escape_latex(const std::string& text);
// Text and attribute values of HTML and SVG.
std::string escape_html(const std::string& text);

// Fields quoted where they need it (RFC 4180), joined by commas, with the line's end. Line breaks and tabs within a field stay. A spreadsheet
// would compute a text that begins with = + - @ or a tab: unless it is a number, an apostrophe goes before it.
std::string csv_line(const std::vector<std::string>& fields);

}  // namespace longbow
