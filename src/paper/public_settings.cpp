// Reads configs/public/public.yaml.
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/installation.h"
#include "longbow/core/strings.h"
#include "longbow/core/utf8.h"
#include "longbow/eval/protocol.h"
#include "longbow/paper/public_study.h"

namespace longbow {

namespace {

constexpr double kLeastMultiple = 1e-3, kGreatestMultiple = 1e4;
constexpr std::size_t kMostMultiples = 32;

[[noreturn]] void refuse(const std::string& file, const YAML::Node& node, const std::string& what) {
    const auto mark = node.Mark();
    throw ConfigError(file + (mark.is_null() ? "" : ":" + std::to_string(mark.line + 1)) + ": " + what);
}

template <class Value>
Value value_of(const std::string& file, const YAML::Node& node, const std::string& key, const char* expected) {
    try {
        return node.as<Value>();
    } catch (const YAML::Exception&) {
        refuse(file, node, key + ": expected " + expected);
    }
}

void read_multiples(const std::string& file, const YAML::Node& node, PublicSettings& settings) {
    settings.multiples =
        value_of<std::vector<double>>(file, node, "multiples", "a list of numbers, such as [0.5, 1, 2]");
    auto& all = settings.multiples;
    const bool good =
        !all.empty() && all.size() <= kMostMultiples && std::all_of(all.begin(), all.end(), [](double one) {
            return one >= kLeastMultiple && one <= kGreatestMultiple;  // false for a NaN
        });
    if (!good) refuse(file, node, "multiples: expected 1 to 32 numbers from 0.001 to 10000");
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
}

void read_protocol(const std::string& file, const YAML::Node& node, PublicSettings& settings) {
    settings.protocol = value_of<std::string>(file, node, "protocol", "a name");
    const auto names = protocol_names();
    if (std::find(names.begin(), names.end(), settings.protocol) != names.end()) return;
    refuse(file, node, "protocol: there is no " + settings.protocol + "; there are " + join(names, ", "));
}

void read_stride(const std::string& file, const YAML::Node& node, PublicSettings& settings) {
    settings.stride = value_of<std::int64_t>(file, node, "stride", "a whole number of targets, or 0");
    if (settings.stride < 0) refuse(file, node, "stride: it is negative; 0 is the protocol's own");
}

void read_text(const std::string& file, const YAML::Node& node, PublicSettings& settings) {
    settings.text = value_of<std::vector<std::string>>(file, node, "text", "a list of files, such as [my.txt]");
    if (settings.text.empty()) refuse(file, node, "text: the list is empty");
    if (!is_installed_config(file)) return;
    for (auto& one : settings.text) one = installed_data_path(one);
}

using Reader = void (*)(const std::string& file, const YAML::Node& node, PublicSettings& settings);
const std::map<std::string, Reader> kKeys{
    {"multiples", read_multiples}, {"protocol", read_protocol}, {"stride", read_stride}, {"text", read_text}};

}  // namespace

PublicSettings read_public_settings(const fs::path& file) {
    const auto name = file.string();
    std::error_code error;
    if (!fs::exists(file, error)) {
        throw UsageError(name +
                         ": no such file; run from the top of the checkout, or name its configs folder with --configs");
    }
    const auto text = read_file(file);
    if (const auto fault = utf8_problem(text); !fault.empty()) throw ConfigError(name + ": " + fault);
    YAML::Node document;
    try {
        document = YAML::Load(text);
    } catch (const YAML::Exception& fault) {
        throw ConfigError(name + ":" + std::to_string(fault.mark.line + 1) + ": not valid YAML: " + fault.msg);
    }
    if (!document.IsMap()) throw ConfigError(name + ": expected keys and values");
    PublicSettings settings;
    std::vector<std::string> known;
    for (const auto& [key, read] : kKeys) known.push_back(key);
    std::set<std::string> seen;
    for (const auto& entry : document) {
        const auto key = value_of<std::string>(name, entry.first, "a key", "a name");
        const auto found = kKeys.find(key);
        if (found == kKeys.end()) {
            const auto near = nearest(key, known);
            refuse(
                name, entry.first,
                "unknown key " + key + (near ? "; did you mean " + *near + "?" : "; there are " + join(known, ", ")));
        }
        if (!seen.insert(key).second) refuse(name, entry.first, key + " is there twice");
        found->second(name, entry.second, settings);
    }
    for (const auto& key : known) {
        if (!seen.contains(key)) throw ConfigError(name + ": the key " + key + " is missing");
    }
    return settings;
}

}  // namespace longbow
