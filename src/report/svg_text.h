// Writes text in figures as SVG elements, and estimates its width.
#pragma once

#include <string>
#include <vector>

namespace longbow {

inline constexpr const char* kInk = "#1c2330";
inline constexpr const char* kSoftInk = "#3a4454";
inline constexpr const char* kPaleInk = "#566070";

// Returns the opening <svg> of a file or an inline chart, with namespace, size, font and white background. Screen
// readers read `label` in place of the picture.
std::string svg_open(double width, double height, const std::string& label);

struct TextStyle {
    const char* anchor = "start";  // start | middle | end
    const char* colour = kSoftInk;
    double size = 13;
    bool bold = false;
    std::string transform = {};
};
std::string svg_text(double x, double y, const std::string& text, const TextStyle& style = {});

// Returns an estimate of the width of `text` in the figures' font, in pixels. It is rather too wide than too narrow.
double text_width(const std::string& text, double size);
// Breaks `text` at blanks into lines of at most `width`. A longer word has a line of its own.
std::vector<std::string> wrapped_text(const std::string& text, double width, double size);
// Shortens each text to `width` by replacing its middle with an ellipsis. If two different texts would then read the
// same, all stay whole.
std::vector<std::string> shortened(const std::vector<std::string>& texts, double width, double size);

}  // namespace longbow
