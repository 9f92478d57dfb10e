// The helpers with which fields.cpp declares keys: a section binds a struct of Config, and a key binds a member of it.
#pragma once

#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "longbow/config/fields.h"
#include "longbow/core/choice.h"

namespace longbow {

// The alternative of FieldValue that stores a member's type: uint64_t is stored as an integer, a closed setting as its
// name.
template <class T>
using StoredAs =
    std::conditional_t<std::is_same_v<T, std::uint64_t>, std::int64_t, std::conditional_t<IsChoice<T>, std::string, T>>;

template <class T>
StoredAs<T> stored(const T& member) {
    if constexpr (IsChoice<T>) {
        return std::string(name_of(member));
    } else {
        return static_cast<StoredAs<T>>(member);
    }
}

// Converts a value that has been checked against the field's choices.
template <class T>
T member_from(const StoredAs<T>& value) {
    if constexpr (IsChoice<T>) {
        return choice_named<T>(value).value();
    } else {
        return static_cast<T>(value);
    }
}

template <class Struct>
class SectionFields {
public:
    SectionFields(std::string name, Struct Config::*section, std::vector<Field>& fields)
        : name_(std::move(name)), section_(section), fields_(fields) {}

    // The returned reference is valid until the next key is declared.
    template <class T>
    Field& operator()(std::string key, T Struct::*member, std::string help) {
        using Stored = StoredAs<T>;
        Field field;
        field.section = name_;
        field.name = std::move(key);
        field.help = std::move(help);
        field.default_value = stored<T>(Struct{}.*member);
        field.get = [section = section_, member](const Config& config) {
            return FieldValue(stored<T>(config.*section.*member));
        };
        field.set = [section = section_, member](Config& config, const FieldValue& value) {
            config.*section.*member = member_from<T>(std::get<Stored>(value));
        };
        if constexpr (IsChoice<T>) {
            field.allowed = choice_names<T>();
            field.help += " (" + choice_help<T>() + ")";
        }
        if constexpr (std::is_same_v<T, std::uint64_t> || std::is_same_v<T, Duration>) field.at_least(0);
        fields_.push_back(std::move(field));
        return fields_.back();
    }

private:
    std::string name_;
    Struct Config::*section_;
    std::vector<Field>& fields_;
};

}  // namespace longbow
