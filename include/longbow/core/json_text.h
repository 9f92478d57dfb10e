// Turns JSON into text and back where strings come from outside and files may be damaged.
#pragma once

#include <string>
#include <string_view>

#include "longbow/core/json.h"

namespace longbow {

// Returns `json` as UTF-8 text. Strings that are not valid UTF-8 (file names need not be) have each invalid byte
// written as \xHH. Use this instead of dump(), which throws on such strings, wherever a string comes from outside.
// `indent` < 0 gives one line.
std::string json_text(const Json& json, int indent = -1);

// Parses `text`, and returns a discarded value (is_discarded()) unless it is exactly one JSON value. A NUL byte is
// refused here, because the JSON library takes one for the end of the text.
Json parse_json(std::string_view text);

}  // namespace longbow
