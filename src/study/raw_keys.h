// Reads the values of a YAML tree with messages that name file, line and key.
#pragma once

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "longbow/config/raw_value.h"

namespace longbow {

// Throws ConfigError "FILE:LINE: what".
[[noreturn]] void refuse(const RawValue& at, const std::string& what);

// Return the value of a key, and throw ConfigError for one of another kind. `expected` says in words what it should be.
const std::string& word_of(const RawValue& value, const std::string& key, const char* expected);
template <class Number>
Number number_of(const RawValue& value, const std::string& key, Number least, Number most, const char* expected) {
    Number number{};
    const auto& text = value.text;
    const auto* end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, number);
    if (value.kind != RawValue::Kind::scalar || read.ec != std::errc{} || read.ptr != end ||
        !(number >= least && number <= most))
        refuse(value, key + ": expected " + expected + (text.empty() ? "" : ", not '" + text + "'"));
    return number;
}

template <class Number>
std::vector<Number> numbers_of(const RawValue& value, const std::string& key, Number least, Number most,
                               const char* expected) {
    if (value.kind != RawValue::Kind::list || value.items.empty())
        refuse(value, key + ": expected a list, such as [1, 2, 4], of " + expected);
    std::vector<Number> numbers;
    for (const auto& item : value.items) {
        const auto number = number_of(item, key, least, most, expected);
        if (std::find(numbers.begin(), numbers.end(), number) != numbers.end())
            refuse(item, key + ": " + item.text + " is there twice");
        numbers.push_back(number);
    }
    return numbers;
}

// Returns `name` if it can name folders and files and be a part of commands, and throws ConfigError if not.
const std::string& name_of(const RawValue& at, const std::string& name, const std::string& key);

// Writes a value as an override has it: lists and mappings in YAML's flow style.
std::string flow_text(const RawValue& value, bool inside = false);

// Visits the keys of a mapping, each with its reader. Throws ConfigError for a key without one.
using KeyReaders = std::map<std::string, std::function<void(const RawValue& value)>>;
void read_keys(const RawValue& map, const std::string& what, const KeyReaders& readers);

}  // namespace longbow
