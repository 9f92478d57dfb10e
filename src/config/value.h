// Converts between text and FieldValue: strict reading with messages, and writing that reads back as the same value.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "longbow/config/fields.h"
#include "longbow/config/raw_value.h"

namespace longbow {

// One setting as the user wrote it.
struct Assignment {
    std::string section, name;  // an empty name: the section itself (no keys, or no mapping)
    RawValue value;
    std::string origin;  // "base.yaml:12" or "override 'train.length=x'", for messages
    bool is_override = false;
    std::size_t layer = 0;  // as `own`: see Origin in load.h
    bool own = false;
    [[nodiscard]] std::string path() const { return section + "." + name; }
};

// Checks type, range and choices. Throws ConfigError "ORIGIN: KEY: what, and the remedy".
FieldValue parse_value(const Field& field, const Assignment& assignment);

}  // namespace longbow
