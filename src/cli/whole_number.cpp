#include "whole_number.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "longbow/core/strings.h"

namespace longbow {

namespace {

constexpr std::uint64_t kLargest = std::numeric_limits<std::int64_t>::max();

// Returns the factors that a suffix may stand for. The first is the one that is usual for lengths.
std::vector<double> factors(const std::string& suffix) {
    static constexpr std::array<std::pair<char, int>, 4> powers = {{{'k', 1}, {'m', 2}, {'g', 3}, {'b', 3}}};
    if (suffix.empty()) return {1};
    for (const auto& [letter, power] : powers) {
        if (suffix[0] != letter) continue;
        const auto rest = suffix.substr(1);
        if (rest == "i" || rest == "ib") return {std::pow(1024, power)};
        if (rest.empty()) return {std::pow(1024, power), std::pow(1000, power)};
    }
    return {};
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Returns the numbers that a text may mean: "64k" -> {65536, 64000}, "1e3" -> {1000}, "1_000" -> {1000}, "many" -> {},
// and "64 128" -> {} since it is two numbers.
std::vector<std::string> possible_values(const std::string& text, std::uint64_t low, std::uint64_t high) {
    for (std::size_t at = 1; at + 1 < text.size(); ++at) {
        if (text[at] == ' ' && is_digit(text[at - 1]) && is_digit(text[at + 1])) return {};
    }
    std::string lower;
    for (const char c : text) {
        if (c != '_' && c != '\'' && c != ' ') lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    double number = 0;
    const auto [rest, error] = std::from_chars(lower.data(), lower.data() + lower.size(), number);
    std::vector<std::string> found;
    if (error != std::errc{}) return found;
    for (const double factor :
         factors(std::string(rest, static_cast<std::size_t>(lower.data() + lower.size() - rest)))) {
        const double value = number * factor;
        const bool whole = value == std::floor(value) && std::abs(value) < 9e15;
        if (whole && value >= static_cast<double>(low) && value <= static_cast<double>(high))
            found.push_back(fmt::format("{:.0f}", value));
    }
    return found;
}

std::string bounds_text(std::uint64_t low, std::uint64_t high) {
    if (high >= kLargest) return "at least " + std::to_string(low);
    return "from " + std::to_string(low) + " to " + std::to_string(high);
}

// Returns the user's text as quoted in a message; shortened if it is long.
std::string shown(const std::string& text) {
    return "'" + (text.size() > 40 ? text.substr(0, 37) + "..." : text) + "'";
}

std::string refusal(std::string text, std::uint64_t low, std::uint64_t high) {
    text.erase(0, text.find_first_not_of(' '));  // as in "512, 1024"
    // A list takes every word that follows it.
    if (const auto equals = text.find('='), dot = text.find('.'); dot < equals && equals != std::string::npos)
        return shown(text) + " is not a whole number; write settings before the flags";
    if (text.size() > 1 && text[0] == '+') text.erase(0, 1);
    const std::size_t sign = !text.empty() && text[0] == '-' ? 1 : 0;
    const bool digits =
        text.size() > sign && std::all_of(text.begin() + static_cast<std::ptrdiff_t>(sign), text.end(), is_digit);
    const bool leading_zero = digits && text.size() > sign + 1 && text[sign] == '0';
    if (!digits || leading_zero) {
        const auto values = leading_zero ? std::vector<std::string>{} : possible_values(text, low, high);
        return shown(text) + " is not a whole number" + (leading_zero ? " without leading zeros" : "") +
               "; write it in digits" +
               (values.empty() ? ", " + bounds_text(low, high)
                               : ": " + join(values, " (or ") + (values.size() > 1 ? ")" : ""));
    }
    std::uint64_t value = 0;
    const bool fits = sign == 0 && std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc{};
    if (fits && value >= low && value <= high) return {};
    const auto bounds = high >= kLargest && sign == 0 && (!fits || value > high) ? "at most " + std::to_string(high)
                                                                                 : bounds_text(low, high);
    return shown(text) + " is out of range, it must be " + bounds;
}

}  // namespace

CLI::Validator whole_number(std::uint64_t low, std::uint64_t high) {
    const auto description = high >= kLargest ? std::string() : std::to_string(low) + ".." + std::to_string(high);
    return {[low, high](const std::string& text) { return refusal(text, low, high); }, description, "whole_number"};
}

}  // namespace longbow
