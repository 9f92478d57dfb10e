// Lengths of training in a unit that suits a person: "600 updates", "3 epochs", "2.5B tokens", "20 min".
#pragma once

#include <cstdint>
#include <string>

namespace longbow {

// A duration is written as NUMBER UNIT. NUMBER may end in K, M, B or T (powers of 1,000). The units are update(s),
// epoch(s), token(s), s/sec/second(s), min/minute(s), h/hour(s) and d/day(s). A number without a unit is an error.
struct Duration {
    enum class Unit { updates, epochs, tokens, seconds };
    double value = 0;
    Unit unit = Unit::updates;

    // Throws ConfigError with the accepted forms.
    static Duration parse(const std::string& text);
    // Returns a text that parse() reads back.
    [[nodiscard]] std::string text() const;
    // Returns the number of updates, rounded up, or -1 for a duration in seconds, whose updates are known only while
    // training.
    [[nodiscard]] std::int64_t updates(double tokens_per_update, double updates_per_epoch) const;
    bool operator==(const Duration&) const = default;
};

}  // namespace longbow
