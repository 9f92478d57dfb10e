// Converts SVG to PDF or PNG with the program rsvg-convert.
#pragma once

#include <string>

#include "longbow/core/choice.h"

namespace longbow {

enum class PictureFormat { svg, pdf, png };
template <>
struct ChoiceTable<PictureFormat> {
    static constexpr Choice<PictureFormat> values[] = {{PictureFormat::svg, "svg", "as it is drawn"},
                                                       {PictureFormat::pdf, "pdf", "one page"},
                                                       {PictureFormat::png, "png", "two pixels for one of the SVG's"}};
};

// Returns the path of rsvg-convert as found on PATH, or an empty string.
std::string find_rsvg_convert();
// Throws Error that names the Debian package if rsvg-convert is missing. Callers use it before the work whose result is
// to be converted.
void require_rsvg_convert();
// Returns the SVG converted to `format`, which is pdf or png. Throws Error with the program's own message.
std::string convert_svg(const std::string& svg, PictureFormat format);

}  // namespace longbow
