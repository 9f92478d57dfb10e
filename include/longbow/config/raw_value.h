// Holds YAML before the types of its values are known, with the place of each value for messages.
#pragma once

#include <string>
#include <vector>

namespace longbow {

struct RawValue {
    enum class Kind { null, scalar, list, map };
    Kind kind = Kind::null;
    std::string text{};               // of a scalar
    bool quoted = false;              // a scalar in quotes: always a text
    std::vector<RawValue> items{};    // of a list; of a map, its values
    std::vector<std::string> keys{};  // of a map, in the order of its values
    std::string place{};              // "FILE:LINE", of a map's value that of its key
};

// Reads a YAML file that is not a configuration, such as a study's. Throws ConfigError "FILE:LINE: what": no such file,
// not YAML, a key twice in one mapping. What lies more than `depth` deep is left out.
RawValue read_yaml_tree(const std::string& path, int depth);

}  // namespace longbow
