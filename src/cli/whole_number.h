// Defines a validator for flags that take whole numbers. It accepts only digits, and its message for other text says
// what number may have been meant.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>

namespace longbow {

// Accepts decimal digits from `low` to `high`. "64k" is refused with a message that offers 65536 and 64000. CLI11 by
// itself would read 010 as 8, 0x40 as 64 and, for an unsigned number, -1 as 2^64 - 1.
CLI::Validator whole_number(std::uint64_t low = 1, std::uint64_t high = std::numeric_limits<std::int64_t>::max());

}  // namespace longbow
