#include "raw_keys.h"

#include "longbow/core/error.h"
#include "longbow/core/strings.h"

namespace longbow {

using Kind = RawValue::Kind;

void refuse(const RawValue& at, const std::string& what) { throw ConfigError(at.place + ": " + what); }

const std::string& word_of(const RawValue& value, const std::string& key, const char* expected) {
    if (value.kind != Kind::scalar || value.text.empty()) refuse(value, key + ": expected " + expected);
    return value.text;
}

const std::string& name_of(const RawValue& at, const std::string& name, const std::string& key) {
    const bool good = !name.empty() && name.size() <= 100 && name.front() != '.' && name.front() != '-' &&
                      name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
                          std::string::npos;
    if (!good) {
        refuse(at, key + ": '" + name +
                       "' cannot name files: take letters, digits, '_', '.' and '-', not beginning with '.' or '-'");
    }
    return name;
}

std::string flow_text(const RawValue& value, bool inside) {
    std::vector<std::string> items;
    for (std::size_t i = 0; i < value.items.size(); ++i)
        items.push_back((value.kind == Kind::map ? value.keys[i] + ": " : "") + flow_text(value.items[i], true));
    switch (value.kind) {
        case Kind::null: return "null";
        case Kind::list: return "[" + join(items, ", ") + "]";
        case Kind::map: return "{" + join(items, ", ") + "}";
        case Kind::scalar: break;
    }
    if (!inside || !value.quoted) return value.text;
    std::string text = "'";
    for (const char c : value.text) text += c == '\'' ? std::string("''") : std::string(1, c);
    return text + "'";
}

void read_keys(const RawValue& map, const std::string& what, const KeyReaders& readers) {
    if (map.kind != Kind::map) refuse(map, what + ": expected keys and values");
    std::vector<std::string> known;
    for (const auto& [key, read] : readers) known.push_back(key);
    for (std::size_t i = 0; i < map.items.size(); ++i) {
        const auto found = readers.find(map.keys[i]);
        if (found == readers.end()) {
            const auto near = nearest(map.keys[i], known);
            refuse(map.items[i], what + ": unknown key '" + map.keys[i] + "'" +
                                     (near ? ", did you mean '" + *near + "'?" : "; there are " + join(known, ", ")));
        }
        found->second(map.items[i]);
    }
}

}  // namespace longbow
