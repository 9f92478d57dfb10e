// How tables and progress lines show numbers that may have no value.
#pragma once

#include <string>

namespace longbow {

// The number with so many decimals; "-" where it is not finite.
std::string number_or_dash(double value, int decimals);

}  // namespace longbow
