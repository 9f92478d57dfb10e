// Text in figures: elements, and how wide they will be.
#pragma once

#include <string>
#include <vector>

namespace longbow {

inline constexpr const char* kInk = "#1c2330";
inline constexpr const char* kSoftInk = "#3a4454";
inline constexpr const char* kPaleInk = "#566070";

// The opening <svg> of a file or an inline chart: namespace, size, font, white ground. `label` is read out in place of the picture.
std::string svg_open(double width, double height, const std::string& label);

struct TextStyle {
    const char* anchor = "start";  // start | middle | end
    const char* colour = kSoftInk;
    double size = 13;
    bool bold = false;
    std::string transform = {};
};
std::string svg_text(double x, double y, const std::string& text, const TextStyle& style = {});

// About the width of `text` in the figures' font, rather too wide than too narrow.
double text_width(const std::string& text, double size);
// Broken at blanks into lines of at most `width`; a longer word has a line of its own.
std::vector<std::string> wrapped_text(const std::string& text, double width, double size);
// Each no wider than `width`, its middle left out where need be; but whole, where two would read the same.
std::vector<std::string> shortened(const std::vector<std::string>& texts, double width, double size);

}  // namespace longbow
