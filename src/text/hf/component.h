// One object of a tokenizer.json while it is read: its fields by type, and errors that name the file and the place in
// it. A key that nothing has read is an error, because it may change ids.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "longbow/core/json.h"

namespace longbow::hf {

class Component {
public:
    // `file` and `path` ("pre_tokenizer.pretokenizers[1]") are for messages.
    Component(const Json& json, std::string file, std::string path);

    // The field's value. Throws DataError where it has another type, and where it is missing or null, unless there is a
    // default.
    [[nodiscard]] std::string text(const std::string& key);
    [[nodiscard]] bool flag(const std::string& key, std::optional<bool> otherwise = std::nullopt);
    [[nodiscard]] std::int64_t number(const std::string& key, std::int64_t most);
    [[nodiscard]] char32_t character(const std::string& key);  // a text of one character
    // Null where it is missing or null.
    [[nodiscard]] const Json* find(const std::string& key);
    [[nodiscard]] std::optional<Component> object(const std::string& key);
    [[nodiscard]] std::vector<Component> objects(const std::string& key);
    // The text of "type".
    [[nodiscard]] const std::string& type() const { return type_; }
    [[nodiscard]] const Json& json() const { return json_; }
    // Reads a key that changes no ids.
    void ignore(const std::string& key) { read_.insert(key); }

    // Throws DataError: "FILE: PATH: WHAT".
    [[noreturn]] void refuse(const std::string& what) const;
    [[noreturn]] void refuse_type(const std::vector<std::string>& known) const;
    // Throws DataError for a key that nobody has read.
    void check_all_read() const;

private:
    const Json& json_;
    std::string file_, path_, type_;
    std::set<std::string> read_;
};

}  // namespace longbow::hf
