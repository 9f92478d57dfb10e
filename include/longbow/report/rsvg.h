// Converts SVG to PDF or PNG with the program rsvg-convert.
#pragma once

#include <string>

namespace longbow {

// Returns the path of rsvg-convert as found on PATH, or an empty string.
std::string find_rsvg_convert();
// Throws Error that names the Debian package if rsvg-convert is missing. Callers use it before the work whose result is
// to be converted.
void require_rsvg_convert();
// Returns the converted file. `format` is pdf or png (2 x 2 pixels for each pixel of the SVG). Throws Error with the
// program's own message.
std::string convert_svg(const std::string& svg, const std::string& format);

}  // namespace longbow
