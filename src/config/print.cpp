// Prints a Config as YAML and JSON, complete and without the keys that have no effect, and compares two.
#include <map>

#include "longbow/config/fields.h"
#include "longbow/core/hash.h"
#include "longbow/core/strings.h"

namespace longbow {

std::string config_yaml(const Config& config, const ConfigContext& context) {
    std::string text, section;
    for (const auto& field : effective_fields(config, context)) {
        if (field.section != section) {
            text += (section.empty() ? "" : "\n") + field.section + ":\n";
            section = field.section;
        }
        text += "  " + field.name + ": " + value_text(field.get(config)) + "\n";
    }
    return text;
}

Json config_json(const Config& config, const ConfigContext& context) {
    Json json = Json::object();
    for (const auto& field : effective_fields(config, context))
        json[field.section][field.name] = value_json(field.get(config));
    return json;
}

std::string fields_fingerprint(const Config& config, const std::vector<Field>& fields) {
    Json json = Json::object();
    for (const auto& field : fields) {
        const auto value = field.get(config);
        if (field.since_version.empty() || value != field.default_value)
            json[field.section][field.name] = value_json(value);
    }
    return fingerprint(json.dump());
}

std::string config_fingerprint(const Config& config, const ConfigContext& context) {
    return fields_fingerprint(config, effective_fields(config, context));
}

std::vector<ConfigDifference> config_differences(const Config& before, const Config& after,
                                                 const ConfigContext& context) {
    const std::string absent = "(no effect)";
    std::vector<ConfigDifference> differences;
    std::map<std::string, std::string> old_values;
    for (const auto& field : effective_fields(before, context))
        old_values[field.path()] = value_text(field.get(before));
    for (const auto& field : effective_fields(after, context)) {
        const auto found = old_values.find(field.path());
        const std::string now = value_text(field.get(after));
        const std::string old = found == old_values.end() ? absent : found->second;
        if (old != now) differences.push_back({field.path(), old, now});
        if (found != old_values.end()) old_values.erase(found);
    }
    for (const auto& [path, value] : old_values) differences.push_back({path, value, absent});
    return differences;
}

bool describes_text(const std::string& key) {
    if (starts_with(key, "tokenizer.") || starts_with(key, "data.expect_")) return true;
    for (const auto* text : {"data.train", "data.valid", "data.test", "data.documents", "data.blank_lines",
                             "data.jsonl_key", "data.shard_tokens"}) {
        if (key == text) return true;
    }
    return false;
}

void reset_text_keys(Config& config) {
    const DataConfig defaults;
    auto& data = config.data;
    config.tokenizer = {};
    data.train.clear();
    data.valid.clear();
    data.test.clear();
    data.documents = defaults.documents;
    data.blank_lines = defaults.blank_lines;
    data.jsonl_key = defaults.jsonl_key;
    data.shard_tokens = defaults.shard_tokens;
}

bool decides_weights(const std::string& key) {
    if (describes_text(key)) return false;
    if (starts_with(key, "dist.")) return key == "dist.reduce_dtype";
    for (const auto* harmless : {"train.stop", "train.profile", "train.recompute"}) {
        if (key == harmless) return false;
    }
    return !starts_with(key, "log.") && !starts_with(key, "eval.") && !starts_with(key, "checkpoint.");
}

}  // namespace longbow
