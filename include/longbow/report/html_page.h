// Builds a self-contained HTML page: its style is inside and it fetches nothing, so it opens anywhere.
#pragma once

#include <string>

#include "longbow/report/svg.h"

namespace longbow {

// `title` is plain text; `body` is the HTML inside <main>.
std::string html_page(const std::string& title, const std::string& body);

// Returns a chart with its legend, which shows on narrow screens, and its caption.
std::string html_figure(const Chart& chart);

}  // namespace longbow
