// Reads, checks, prints and compares configurations.
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
    std::vector<std::string> files;      // left to right; each may `include:` others, relative to itself
    std::vector<std::string> overrides;  // "train.length=128"
    // A configuration that longbow has written, such as a checkpoint's. All files take precedence over it. Null: none.
    // `base_name` is its file's name.
    Json base = nullptr;
    std::string base_name = {};
};

// The place where a key was last set. A key that was never set has its default and no origin.
struct Origin {
    std::string place;  // "base.yaml:12", "override 'train.length=128'": begins messages about the key
    std::size_t layer =
        0;             // rank of precedence: each file is a layer above those that it includes; overrides are the last
    bool own = false;  // longbow wrote it (a run's config.yaml, a checkpoint): dropped if without effect
};
using Origins = std::map<std::string, Origin>;  // by key: "train.length"

struct LoadedConfig {
    Config config;
    Origins origins;
};

// Loads a configuration and checks types, ranges, choices and combinations. Throws ConfigError "FILE:LINE: key ...:
// what, and the remedy". A key that the user set but that has no effect in this configuration is an error, too, which
// names the key that decides.
Config load_config(const LoadRequest& request, const ConfigContext& context);
// Does the same and also returns where each key comes from.
LoadedConfig load_with_origins(const LoadRequest& request, const ConfigContext& context);

// The first line of a run's config.yaml, by which is_own_config() knows it.
extern const char* const kOwnConfigMark;
// Returns whether longbow wrote this file: by that line or, for a run's config.yaml from before there was such a line,
// by its name and place.
bool is_own_config(const std::string& path, const std::string& text);

// Parses YAML text (a run's config.yaml, or tests). `name` stands for the file in messages. Throws as load_config().
Config parse_config(const std::string& yaml, const std::string& name, const ConfigContext& context);

// These print a configuration completely: reading the text again gives the same Config. Keys without effect are left
// out.
std::string config_yaml(const Config& config, const ConfigContext& context);
Json config_json(const Config& config, const ConfigContext& context);
// Returns the fingerprint that identifies a configuration in rows of results.jsonl. It covers the keys that have an
// effect, except newer ones at their defaults (fields.h).
std::string config_fingerprint(const Config& config, const ConfigContext& context);
// Reads what config_json() wrote, for example from a checkpoint. Throws as load_config().
Config config_from_json(const Json& json, const std::string& name, const ConfigContext& context);

// Returns a JSON Schema (draft 2020-12) for editors.
Json config_schema(const ConfigContext& context);
// Returns docs/configuration.md: one Markdown table a section with key, type, default, unit, range and help.
std::string config_reference(const ConfigContext& context);

// A key that differs between two configurations ("train.length: 64 -> 128"). Resuming compares them.
struct ConfigDifference {
    std::string key, before, after;
};
std::vector<ConfigDifference> config_differences(const Config& before, const Config& after,
                                                 const ConfigContext& context);
// Returns whether a key influences the weights that a run has at a given update. Keys that do not are train.stop,
// recompute and profile, those of logging, validation and checkpoints, most of dist, and those for which
// describes_text() is true.
bool decides_weights(const std::string& key);
// Returns whether a key says what a store is made from (data.train, tokenizer.kind, ..). For an existing store its
// fingerprints count instead.
bool describes_text(const std::string& key);
// Resets those keys to their defaults, except data.expect_*, which an existing store must still satisfy.
void reset_text_keys(Config& config);

}  // namespace longbow
