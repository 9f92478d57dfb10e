// Builds a self-contained HTML page: its style is inside and it fetches nothing, so it opens anywhere.
#pragma once

#include <string>

namespace longbow {

// `title` is plain text; `body` is the HTML inside <main>.
std::string html_page(const std::string& title, const std::string& body);

}  // namespace longbow
