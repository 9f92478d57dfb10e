// Reading, checking and printing configurations.
#pragma once

#include <string>
#include <vector>

#include "longbow/config/config.h"
#include "longbow/config/options.h"
#include "longbow/core/json.h"

namespace longbow {

// What the config room cannot know by itself, handed down by the caller (cli fills it from the registries above).
struct ConfigContext {
    std::vector<Variant> position_methods;
    std::vector<std::string> attention_backends;
};

struct LoadRequest {
    std::vector<std::string> files;      // left to right; each may `include:` others (relative to itself)
    std::vector<std::string> overrides;  // "train.length=128"
};

// Throws ConfigError "FILE:LINE: key ...: what, and the remedy". Checks types, ranges, choices, combinations, and options
// that have no effect in this configuration (set by the user, but unused): an error that says which key decides.
Config load_config(const LoadRequest& request, const ConfigContext& context);

// From YAML text (a run's config.yaml, or tests). `name` stands for the file in messages.
Config parse_config(const std::string& yaml, const std::string& name, const ConfigContext& context);

// Complete and resolved: reading it again gives the same Config. Keys without effect are left out.
std::string config_yaml(const Config& config, const ConfigContext& context);
Json config_json(const Config& config, const ConfigContext& context);
Config config_from_json(const Json& json, const std::string& name, const ConfigContext& context);

// JSON Schema (draft 2020-12) for editors.
Json config_schema(const ConfigContext& context);
// One Markdown table a section: key, type, default, unit, range, help. docs/configuration.md is this.
std::string config_reference(const ConfigContext& context);

// Keys that differ between two configurations ("train.length: 64 -> 128"), for resume's check.
struct ConfigDifference {
    std::string key, before, after;
};
std::vector<ConfigDifference> config_differences(const Config& before, const Config& after, const ConfigContext& context);
// Whether a key decides the weights that a run has at an update: all but its end, recompute, its logging, validation and checkpoints.
bool decides_weights(const std::string& key);

}  // namespace longbow
