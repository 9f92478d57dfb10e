// How position methods are called and coloured in tables and figures.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace longbow {

// "ALiBi", "T5 bias", "no positions"; any other name with a capital.
std::string method_title(const std::string& name);

// Methods whose colour and marker are the same on every page; a method's place in this list is its style (svg.h).
const std::vector<std::string>& styled_methods();
// styled_methods().size() for all others.
std::size_t method_style(const std::string& name);

}  // namespace longbow
