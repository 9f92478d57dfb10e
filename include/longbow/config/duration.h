// Lengths of training in the unit a person thinks in: "600 updates", "3 epochs", "2.5B tokens", "20 min".
#pragma once

#include <cstdint>
#include <string>

namespace longbow {

// Written as NUMBER UNIT; NUMBER may carry K, M, B or T (powers of 1,000). Units: update(s), epoch(s), token(s),
// s/sec/second(s), min/minute(s), h/hour(s), d/day(s). A bare number is refused: say the unit.
struct Duration {
    enum class Unit { updates, epochs, tokens, seconds };
    double value = 0;
    Unit unit = Unit::updates;

    // Throws ConfigError with the accepted forms.
    static Duration parse(const std::string& text);
    [[nodiscard]] std::string text() const;
    // Number of updates, rounded up; nullopt-like -1 for seconds (known only while running).
    [[nodiscard]] std::int64_t updates(double tokens_per_update, double updates_per_epoch) const;
    bool operator==(const Duration&) const = default;
};

}  // namespace longbow
