// Small text helpers that all rooms share.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace longbow {

// Returns the candidate with the least edit distance to `word`, if it is near enough for `word` to be a misspelling of
// it.
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates);

std::vector<std::string> split(std::string_view text, char separator);
std::string join(const std::vector<std::string>& parts, std::string_view separator);
std::string_view trim(std::string_view text);
bool starts_with(std::string_view text, std::string_view prefix);

// These write numbers for people: with_commas(1234567) is "1,234,567"; human_bytes(1536) is "1.5 KiB";
// human_count(2.5e9) is "2.5B"; human_seconds(3725) is "1:02:05".
std::string with_commas(std::int64_t value);
std::string length_text(std::int64_t length);  // of training inputs; "unknown" for 0
std::string human_bytes(double bytes);
std::string human_count(double count);
std::string human_seconds(double seconds);
// Writes an estimated time: "4.2 s", "123 s", from ten minutes on as human_seconds(), then "12 days", "31 years".
std::string rounded_duration_text(double seconds);

// Returns the shortest decimal text that reads back as the same double.
std::string number_text(double value);

}  // namespace longbow
