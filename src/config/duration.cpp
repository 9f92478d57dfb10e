#include "longbow/config/duration.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string_view>
#include <utility>

#include "longbow/core/error.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

struct UnitName {
    const char* text;
    Duration::Unit unit;
    double factor;  // of the unit that Duration stores
};

constexpr std::array<UnitName, 19> kUnits = {{
    {"update", Duration::Unit::updates, 1},   {"updates", Duration::Unit::updates, 1},
    {"epoch", Duration::Unit::epochs, 1},     {"epochs", Duration::Unit::epochs, 1},
    {"token", Duration::Unit::tokens, 1},     {"tokens", Duration::Unit::tokens, 1},
    {"s", Duration::Unit::seconds, 1},        {"sec", Duration::Unit::seconds, 1},
    {"second", Duration::Unit::seconds, 1},   {"seconds", Duration::Unit::seconds, 1},
    {"min", Duration::Unit::seconds, 60},     {"minute", Duration::Unit::seconds, 60},
    {"minutes", Duration::Unit::seconds, 60}, {"h", Duration::Unit::seconds, 3600},
    {"hour", Duration::Unit::seconds, 3600},  {"hours", Duration::Unit::seconds, 3600},
    {"d", Duration::Unit::seconds, 86400},    {"day", Duration::Unit::seconds, 86400},
    {"days", Duration::Unit::seconds, 86400},
}};

constexpr std::array<std::pair<char, double>, 4> kSuffixes = {{{'T', 1e12}, {'B', 1e9}, {'M', 1e6}, {'K', 1e3}}};

// Above this, a double no longer represents all whole numbers.
constexpr double kLargest = 9007199254740992.0;

[[noreturn]] void refuse(const std::string& text, const std::string& why) {
    throw ConfigError(
        "'" + text + "' is not a duration: " + why +
        "; write a number and a unit, such as '600 updates', '3 epochs', '2.5B tokens', '20 min', '12 h'");
}

bool must_be_whole(Duration::Unit unit) { return unit == Duration::Unit::updates || unit == Duration::Unit::tokens; }

// Writes a number in its shortest exact form: 2.5B, 600, 0.5.
std::string amount_text(double value) {
    for (const auto& [suffix, factor] : kSuffixes) {
        const double scaled = value / factor;
        const auto text = number_text(scaled);
        if (scaled >= 1 && scaled * factor == value && text.size() <= 5 && text.find('e') == std::string::npos)
            return text + suffix;
    }
    return value == std::floor(value) ? fmt::format("{:.0f}", value) : number_text(value);
}

}  // namespace

Duration Duration::parse(const std::string& text) {
    const std::string_view whole = trim(text);
    double value = 0;
    const auto [rest, error] = std::from_chars(whole.data(), whole.data() + whole.size(), value);
    if (whole.empty() || error != std::errc{} || !std::isfinite(value)) refuse(text, "it does not begin with a number");
    if (value < 0 || std::signbit(value)) refuse(text, "it is negative");
    std::string_view unit(rest, static_cast<std::size_t>(whole.data() + whole.size() - rest));
    for (const auto& [suffix, factor] : kSuffixes) {
        // A suffix must follow the number directly. A letter that another letter follows begins a unit.
        if (unit.empty() || unit[0] != suffix || (unit.size() > 1 && unit[1] != ' ')) continue;
        value *= factor;
        unit.remove_prefix(1);
        break;
    }
    unit = trim(unit);
    if (unit.empty()) refuse(text, "it has no unit");
    const auto found =
        std::find_if(kUnits.begin(), kUnits.end(), [&](const UnitName& name) { return unit == name.text; });
    if (found == kUnits.end()) refuse(text, "'" + std::string(unit) + "' is not a unit");
    value *= found->factor;
    if (value > kLargest) refuse(text, "it is too long");
    if (must_be_whole(found->unit) && value != std::floor(value))
        refuse(text, std::string(found->text) + " must be a whole number");
    return {value, found->unit};
}

std::string Duration::text() const {
    const auto with = [](double amount, const char* one, const char* many) {
        return amount_text(amount) + " " + (amount == 1 ? one : many);
    };
    switch (unit) {
        case Unit::updates: return with(value, "update", "updates");
        case Unit::epochs: return with(value, "epoch", "epochs");
        case Unit::tokens: return with(value, "token", "tokens");
        case Unit::seconds: break;
    }
    if (value >= 3600 && std::fmod(value, 3600) == 0) return with(value / 3600, "h", "h");
    if (value >= 60 && std::fmod(value, 60) == 0) return with(value / 60, "min", "min");
    return with(value, "s", "s");
}

std::int64_t Duration::updates(double tokens_per_update, double updates_per_epoch) const {
    double count = value;
    switch (unit) {
        case Unit::updates: break;
        case Unit::epochs: count = value * updates_per_epoch; break;
        case Unit::tokens: count = value / tokens_per_update; break;
        case Unit::seconds: return -1;
    }
    // An excess of less than a part in 10^12 over a whole number is rounding, and does not make another update.
    return static_cast<std::int64_t>(std::ceil(std::min(count * (1 - 1e-12), kLargest)));
}

}  // namespace longbow
