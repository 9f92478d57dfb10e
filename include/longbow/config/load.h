// Reading, checking and printing configurations.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "longbow/config/config.h"
#include "longbow/config/context.h"
#include "longbow/core/json.h"

namespace longbow {

struct LoadRequest {
    std::vector<std::string> files;      // left to right; each may `include:` others (relative to itself)
    std::vector<std::string> overrides;  // "train.length=128"
    // A configuration that longbow has written (a checkpoint's), which counts less than all files; null: none. `base_name` is its file.
    Json base = nullptr;
    std::string base_name = {};
};

// Where a key was set last. A key that nobody has set has its default, and no origin.
struct Origin {
    std::string place;  // "base.yaml:12", "override 'train.length=128'": begins each message about it
    std::size_t layer =
        0;             // what counts more has a higher one: each file is a layer, above those that it includes; the overrides are the last
    bool own = false;  // longbow wrote it (a run's config.yaml, a checkpoint): without effect under what the user sets, it is left out
};
using Origins = std::map<std::string, Origin>;  // "train.length" -> ..

struct LoadedConfig {
    Config config;
    Origins origins;
};

// Throws ConfigError "FILE:LINE: key ...: what, and the remedy". Checks types, ranges, choices, combinations, and options
// that have no effect in this configuration (set by the user, but unused): an error that says which key decides.
Config load_config(const LoadRequest& request, const ConfigContext& context);
// The same with where each key comes from.
LoadedConfig load_with_origins(const LoadRequest& request, const ConfigContext& context);

// A line at the top of a run's config.yaml by which it is known as longbow's own.
extern const char* const kOwnConfigMark;
// Whether longbow wrote this file: by that line, or by its name and place (a run's config.yaml from before there was one).
bool is_own_config(const std::string& path, const std::string& text);

// From YAML text (a run's config.yaml, or tests). `name` stands for the file in messages.
Config parse_config(const std::string& yaml, const std::string& name, const ConfigContext& context);

// Complete and resolved: reading it again gives the same Config. Keys without effect are left out.
std::string config_yaml(const Config& config, const ConfigContext& context);
Json config_json(const Config& config, const ConfigContext& context);
// By which rows of results.jsonl know their configuration: of the resolved keys, but for newer ones that have their defaults (fields.h).
std::string config_fingerprint(const Config& config, const ConfigContext& context);
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
// Whether a key decides the weights that a run has at an update: all but its end, recompute, its logging, validation and checkpoints, and
// what describes_text().
bool decides_weights(const std::string& key);
// Whether a key says what a store is made from (data.train, tokenizer.kind, ..). A store that is there has its fingerprints instead.
bool describes_text(const std::string& key);
// Sets those keys to their defaults, but for data.expect_*, which a store that is there is held to.
void forget_text(Config& config);

}  // namespace longbow
