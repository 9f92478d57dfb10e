// Reads a model's config.json by a whitelist: each key is used, is known to change nothing, or is refused. A key that
// nobody has asked for is an error, so that a setting of a newer release does not pass silently.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "longbow/core/json.h"

namespace longbow {

class HfKeys {
public:
    // `what` names the object in messages: "FOLDER/config.json", "FOLDER/config.json: attn_config".
    HfKeys(const Json& json, std::string what) : json_(json), what_(std::move(what)) {}

    // Several names of one setting, as older and newer files have it: the first one is the name in messages. Those of
    // them that are present must agree. A key whose value is null counts as absent.
    using Names = std::initializer_list<const char*>;

    // A whole number in [low, high]. Throws CheckpointError for anything else, and for count() when it is absent.
    std::int64_t count(Names names, std::int64_t low, std::int64_t high);
    std::optional<std::int64_t> optional_count(Names names, std::int64_t low, std::int64_t high);
    std::optional<double> optional_real(Names names, double low, double high);
    double real(Names names, double otherwise, double low, double high);
    bool flag(Names names, bool otherwise);
    std::optional<std::string> optional_text(Names names);
    std::string text(Names names, const std::string& otherwise);
    // The object under a key; null when it is absent or null.
    const Json* object(const char* name);
    // The texts of a list; nullopt when it is absent or null.
    std::optional<std::vector<std::string>> texts(const char* name);

    // Returns whether the key is present, also as null.
    [[nodiscard]] bool given(const char* name) const { return json_.contains(name); }
    // These keys change nothing in what a trained model computes, whatever their values.
    void harmless(Names names);
    // A key that must be absent, null, false, 0 or empty; `meaning` says what it would mean otherwise.
    void refuse(const char* name, const std::string& meaning);
    // Throws CheckpointError if a key was neither read nor named by the calls above.
    void finish(const std::string& family) const;

    [[noreturn]] void fail(const std::string& reason) const;
    [[noreturn]] void fail(const char* key, const std::string& reason) const;
    [[nodiscard]] const std::string& what() const { return what_; }

private:
    // The value under the first of the names that is present, or null.
    const Json* value(Names names);

    const Json& json_;
    std::string what_;
    std::set<std::string> known_;
};

// Keys that any config.json may have: those that save_pretrained() writes for every model and that only concern
// generation, fine-tuning or the writing program are harmless; those that change the architecture are refused.
void read_common_keys(HfKeys& keys);

}  // namespace longbow
