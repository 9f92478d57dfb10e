// Small text helpers shared by every room.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace longbow {

// printf into a string. (libfmt is not used outside the torch-free rooms: torch ships another version of its headers.)
[[gnu::format(printf, 1, 2)]] std::string strprintf(const char* format, ...);

// The candidate nearest to `word` by edit distance, if near enough to be a likely misspelling.
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates);

std::vector<std::string> split(std::string_view text, char separator);
std::string join(const std::vector<std::string>& parts, std::string_view separator);
std::string_view trim(std::string_view text);
bool starts_with(std::string_view text, std::string_view prefix);

// 1234567 -> "1,234,567"; human_bytes(1536) -> "1.5 KiB"; human_count(2.5e9) -> "2.5B"; human_seconds(3725) -> "1:02:05".
std::string with_commas(std::int64_t value);
std::string human_bytes(double bytes);
std::string human_count(double count);
std::string human_seconds(double seconds);
// Of an estimate: "4.2 s", "123 s", from ten minutes on as human_seconds(), then "12 days", "31 years".
std::string about_seconds(double seconds);

// Shortest decimal text that reads back as the same double.
std::string number_text(double value);

}  // namespace longbow
