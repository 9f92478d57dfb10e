// Defines the titles and colours of position methods in tables and figures.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace longbow {

// Returns the title of the method's registration ("ALiBi", "T5 bias"); any other name with a capital first letter.
std::string method_title(const std::string& name);

// Returns the methods whose colour and marker are the same on every page. A method's index in this list is its style
// (svg.h).
const std::vector<std::string>& styled_methods();
// Returns the method's index in styled_methods(), or styled_methods().size() if it is not in the list.
std::size_t method_style(const std::string& name);

}  // namespace longbow
