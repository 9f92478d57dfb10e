// How position methods are called in tables and figures.
#pragma once

#include <string>

namespace longbow {

// "ALiBi", "T5 bias"; other texts as they are.
std::string method_title(const std::string& name);

}  // namespace longbow
