// A closed setting is an enum with one table of its values. The table is the only place that holds their names: YAML,
// checks, the schema, the help and the docs read it. No `switch` over such an enum has a default, so that a forgotten
// value does not compile.
//
//     enum class Norm { layernorm, rmsnorm };
//     template <>
//     struct ChoiceTable<Norm> {
//         static constexpr Choice<Norm> values[] = {
//             {Norm::layernorm, "layernorm", "mean and variance, with weight and bias"}, ..};
//     };
//
// The enum of a setting stands in the choices.h of the room that acts on it (include/longbow/model/choices.h). Such a
// header includes nothing but this one, so that config/config.h, which lies below that room, can name the type.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace longbow {

template <class E>
struct Choice {
    E value;
    std::string_view name;  // as YAML, checkpoints and results write it
    std::string_view help;  // one line for the reference: what the value does
};

// Each enum specializes this beside its definition, with `static constexpr Choice<E> values[]` in the order in which
// the help lists them.
template <class E>
struct ChoiceTable;

template <class E>
concept IsChoice = std::is_enum_v<E> && requires {
    ChoiceTable<E>::values;
};

template <IsChoice E>
constexpr std::string_view name_of(E value) {
    for (const auto& choice : ChoiceTable<E>::values) {
        if (choice.value == value) return choice.name;
    }
    return "";  // reached only by a value that is missing from its table, which a test of all tables finds
}

// Returns the value with this name, or nothing when the table has none.
template <IsChoice E>
constexpr std::optional<E> choice_named(std::string_view name) {
    for (const auto& choice : ChoiceTable<E>::values) {
        if (choice.name == name) return choice.value;
    }
    return std::nullopt;
}

template <IsChoice E>
std::vector<std::string> choice_names() {
    std::vector<std::string> names;
    for (const auto& choice : ChoiceTable<E>::values) names.emplace_back(choice.name);
    return names;
}

// Returns one line that explains all values: "relu: max(0, x); gelu: ..".
template <IsChoice E>
std::string choice_help() {
    std::string text;
    for (const auto& choice : ChoiceTable<E>::values) {
        if (!text.empty()) text += "; ";
        text += std::string(choice.name) + ": " + std::string(choice.help);
    }
    return text;
}

}  // namespace longbow
