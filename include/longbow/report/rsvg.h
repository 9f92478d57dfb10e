// SVG as PDF or PNG, by the program rsvg-convert.
#pragma once

#include <string>

namespace longbow {

// Where rsvg-convert is on PATH; empty: nowhere.
std::string find_rsvg_convert();
// Throws Error that names the Debian package when it is not there: before the work whose result it is to convert.
void require_rsvg_convert();
// format: pdf | png (two pixels for one of the SVG's). Throws Error with what the program said.
std::string convert_svg(const std::string& svg, const std::string& format);

}  // namespace longbow
