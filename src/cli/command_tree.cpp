#include "command_tree.h"

#include <algorithm>
#include <cctype>
#include <map>

#include "longbow/config/context.h"
#include "longbow/config/fields.h"
#include "longbow/core/strings.h"
#include "verbs.h"

namespace longbow {

namespace {

bool is_value(const std::string& word) {
    return !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) {
        return std::islower(c) != 0 || std::isdigit(c) != 0 || c == '_' || c == '-' || c == '.';
    });
}

// Splits "LEVEL:{info,warn}", as CLI11 writes a type and the members of a set, into the type and the values. Of
// "auto|never|CHECKPOINT" the words in lower case are values.
void read_type(const std::string& text, FlagEntry& flag) {
    const auto open = text.find('{'), close = text.find('}');
    std::string type = text.substr(0, std::min(open, text.find(':')));
    if (open != std::string::npos && close != std::string::npos)
        flag.values = split(text.substr(open + 1, close - open - 1), ',');
    if (flag.values.empty() && type.find('|') != std::string::npos) {
        for (const auto& word : split(type, '|')) {
            if (is_value(word)) flag.values.push_back(word);
        }
    }
    if (type == "TEXT" || type.empty()) type = flag.values.empty() ? "VALUE" : join(flag.values, "|");
    flag.type = type;
}

FlagEntry entry_of(const CLI::Option& option) {
    FlagEntry flag;
    for (const auto& name : option.get_snames()) flag.names.push_back("-" + name);
    for (const auto& name : option.get_lnames()) flag.names.push_back("--" + name);
    flag.help = option.get_description();
    flag.takes_value = option.get_items_expected_max() > 0;
    if (flag.takes_value) read_type(option.get_type_name(), flag);
    return flag;
}

// What no declaration of a flag lists: devices, and the names of position methods where an argument is one.
void add_values(FlagEntry& flag, const std::string& type) {
    if (type == "DEVICE") flag.values = {"auto", "cpu", "cuda"};
    if (type == "METHOD") {
        for (const auto& method : registered_config_context().position_methods) flag.values.push_back(method.name);
    }
}

// Some verbs read settings among the words of another argument ("RUN .. position.KEY=VALUE"), and their help says so.
bool mentions_settings(const std::string& help) {
    return help.find("=value") != std::string::npos || help.find("=VALUE") != std::string::npos;
}

CommandEntry command_of(const CLI::App& app, std::vector<std::string> words) {
    CommandEntry command;
    command.words = std::move(words);
    command.help = app.get_description();
    bool example = false;
    for (const auto& line : split(app.get_footer(), '\n')) {
        if (example && !trim(line).empty()) command.examples.emplace_back(trim(line));
        if (starts_with(line, "Example:")) example = true;
    }
    for (const auto* option : app.get_options()) {
        auto flag = entry_of(*option);
        if (option->get_positional()) {
            const auto name = option->get_name(true);
            if (name == kOverrideArgument || name == kOptionArgument) {
                command.takes_settings = command.takes_settings || name == kOverrideArgument;
                continue;
            }
            flag.names = {name};
            command.takes_settings = command.takes_settings || mentions_settings(flag.help);
            add_values(flag, name);
            command.arguments.push_back(std::move(flag));
            continue;
        }
        add_values(flag, flag.type);
        flag.common = option->get_group() == kCommonOptions;
        command.flags.push_back(std::move(flag));
    }
    return command;
}

void add_commands(const CLI::App& app, std::vector<std::string> words, std::vector<CommandEntry>& tree) {
    const auto place = tree.size();
    tree.push_back(command_of(app, words));
    for (const auto* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
        tree[place].verbs.push_back(verb->get_name());
        words.push_back(verb->get_name());
        add_commands(*verb, words, tree);
        words.pop_back();
    }
}

}  // namespace

std::string CommandEntry::path() const { return join(words, " "); }

std::vector<CommandEntry> command_tree(const CLI::App& app) {
    std::vector<CommandEntry> tree;
    add_commands(app, {app.get_name()}, tree);
    return tree;
}

std::vector<SettingEntry> setting_entries() {
    const auto& known = registered_config_context();
    std::vector<SettingEntry> entries;
    std::map<std::string, std::size_t> places;
    const auto add = [&](const Field& field) {
        auto values = field.allowed;
        if (values.empty() && std::holds_alternative<bool>(field.default_value)) values = {"true", "false"};
        const auto [place, is_new] = places.emplace(field.path(), entries.size());
        if (is_new) return entries.push_back({field.path(), field.help, std::move(values)});
        auto& all = entries[place->second].values;  // another object's option of the same name
        for (auto& value : values) {
            if (std::find(all.begin(), all.end(), value) == all.end()) all.push_back(std::move(value));
        }
    };
    for (const auto& field : config_fields(known)) add(field);
    for (const auto& selector : selectors()) {
        for (const auto& variant : known.*selector.variants) {
            for (const auto& field : option_fields(known, selector, variant.name)) add(field);
        }
    }
    return entries;
}

std::vector<std::string> setting_sections(const std::vector<SettingEntry>& settings) {
    std::vector<std::string> sections;
    for (const auto& setting : settings) {
        const auto section = setting.key.substr(0, setting.key.find('.') + 1);
        if (std::find(sections.begin(), sections.end(), section) == sections.end()) sections.push_back(section);
    }
    return sections;
}

}  // namespace longbow
