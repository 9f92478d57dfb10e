// What other rooms must know of drawn positions (the keys position.draw, draw_max and draw_seed).
#pragma once

#include "longbow/config/config.h"

namespace longbow {

// Returns whether these options of a method draw positions; options that are missing have their defaults.
bool draws_positions(const OptionMap& options);

// Returns whether windows end at position.draw_max: integers are drawn without replacement, so that a window has at
// most as many tokens. For a model of several methods: whether one of them does so.
bool ends_at_draw(const PositionConfig& config);

// Returns the key that says where windows end, for messages: position.draw_max or position.max_length.
const char* length_limit_key(const PositionConfig& config);

}  // namespace longbow
