// Values between text and FieldValue: strict reading with messages, and writing that reads back as the same value.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "longbow/config/fields.h"

namespace longbow {

// What stands in a file or an override, before any type is known.
struct RawValue {
    enum class Kind { null, scalar, list, map };
    Kind kind = Kind::null;
    std::string text;             // scalar
    bool quoted = false;          // scalar in quotes: a text, never a number
    std::vector<RawValue> items;  // list
};

// One setting as the user wrote it.
struct Assignment {
    std::string section, name;  // name empty: the section itself (no keys, or no mapping)
    RawValue value;
    std::string origin;  // "base.yaml:12" or "override 'train.length=x'": begins each message about it
    bool is_override = false;
    std::size_t layer = 0;  // load.h's Origin has both
    bool own = false;
    [[nodiscard]] std::string path() const { return section + "." + name; }
};

// Type, range and choices. Throws ConfigError "ORIGIN: KEY: what, and the remedy".
FieldValue parse_value(const Field& field, const Assignment& assignment);

}  // namespace longbow
