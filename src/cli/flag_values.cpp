#include "flag_values.h"

#include <algorithm>

namespace longbow {

namespace {

constexpr const char* kFreeText = "free_text";

bool takes_any_text(CLI::Option& option) {
    try {
        return option.get_validator(kFreeText) != nullptr;
    } catch (const CLI::OptionNotFound&) {
        return false;
    }
}

// Returns what a value should be, for messages; empty if CLI11 knows only that it is text.
std::string expectation(const std::string& type) { return type.empty() || type == "TEXT" ? "" : ": expected " + type; }

// Returns the flag in a word: --threads for both --threads and --threads=2; empty if the word is no flag.
std::string flag_in(const std::string& text) {
    return text.size() > 1 && text[0] == '-' ? text.substr(0, text.find('=')) : "";
}

}  // namespace

CLI::Validator output_file() {
    return {[](std::string& path) {
                if (path == "-") path = "/dev/stdout";
                return std::string();
            },
            "", "output_file"};
}

CLI::Validator output_folder() {
    return {
        [](const std::string& path) {
            return path == "-"
                       ? std::string(
                             "'-' means standard output, but this flag takes a folder: name one (./- for a folder named -)")
                       : std::string();
        },
        "", "output_folder"};
}

CLI::Validator free_text() {
    return {[](const std::string&) { return std::string(); }, "", kFreeText};
}

CLI::Validator list_of(const CLI::Validator& item) {
    const auto check = [item](const std::string& text) -> std::string {
        for (const auto& each : split(text, ',')) {
            if (each.find_first_not_of(' ') == std::string::npos)
                return "'" + text + "' has an empty element: separate values by one comma";
            if (auto why = item(each); !why.empty()) return why;
        }
        return {};
    };
    return {check, item.get_description(), "list_of"};
}

std::string usage_mistake_in(CLI::App& verb) {
    std::vector<std::string> flags;
    for (const auto* option : verb.get_options()) {
        for (const auto& name : option->get_lnames()) flags.push_back("--" + name);
        for (const auto& name : option->get_snames()) flags.push_back("-" + name);
    }
    for (auto* option : verb.get_options()) {
        if (option->get_items_expected_max() == 0 || takes_any_text(*option)) continue;
        const auto expected = expectation(option->get_type_name());
        for (const auto& value : option->results()) {
            if (value.empty()) return option->get_name() + ": an empty value" + expected;
            const auto flag = flag_in(value);
            if (!flag.empty() && std::find(flags.begin(), flags.end(), flag) != flags.end())
                return option->get_name() + ": no value before the flag " + value + expected;
        }
    }
    return {};
}

}  // namespace longbow
