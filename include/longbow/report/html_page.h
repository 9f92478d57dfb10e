// A page that opens anywhere: its style is inside, and nothing is fetched.
#pragma once

#include <string>

namespace longbow {

// `title` is text, `body` HTML (what stands in <main>).
std::string html_page(const std::string& title, const std::string& body);

}  // namespace longbow
