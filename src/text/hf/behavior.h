// What becomes of the matches of a splitting pattern.
#pragma once

#include <string_view>
#include <vector>

#include "component.h"
#include "regex.h"

namespace longbow::hf {

enum class Behavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

// Reads "behavior" ("Isolated", "MergedWithNext", ..). Throws DataError.
Behavior read_behavior(Component& component);

// Adds what lies between matches of a text of `size` bytes, so that the spans cover it.
std::vector<Span> covering(const std::vector<Span>& matches, std::size_t size);

// The pieces of a text that `spans` covers, in order.
std::vector<Span> pieces_of(const std::vector<Span>& spans, Behavior behavior);

}  // namespace longbow::hf
