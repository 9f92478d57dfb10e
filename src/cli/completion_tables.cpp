#include "completion_tables.h"

#include <fmt/core.h>

#include <map>

#include "longbow/core/strings.h"

namespace longbow {

namespace {

using Row = std::pair<std::string, std::string>;  // what is asked, and the reply

// Writes a shell function that sets `reply`. It fails for what has no row. Rows with the same reply become one.
std::string table(const std::string& name, const std::vector<Row>& rows) {
    std::vector<std::string> order;
    std::map<std::string, std::vector<std::string>> asked;
    for (const auto& [question, reply] : rows) {
        if (asked.count(reply) == 0) order.push_back(reply);
        asked[reply].push_back("'" + question + "'");
    }
    std::string text = name + "() {\n    reply=''\n    case $1 in\n";
    for (const auto& reply : order)
        text += fmt::format("        {}) reply='{}' ;;\n", join(asked[reply], " | "), reply);
    return text + "        *) return 1 ;;\n    esac\n}\n";
}

}  // namespace

std::string completion_tables(const std::vector<CommandEntry>& tree, const std::vector<SettingEntry>& settings) {
    std::vector<Row> verbs, flags, values, arguments, takes_settings, keys;
    for (const auto& command : tree) {
        const auto path = command.path();
        if (!command.verbs.empty()) verbs.emplace_back(path, join(command.verbs, " "));
        std::vector<std::string> names;
        for (const auto& flag : command.flags) {
            for (const auto& name : flag.names) {
                names.push_back(name);
                if (flag.takes_value) values.emplace_back(path + " " + name, join(flag.values, " "));
            }
        }
        flags.emplace_back(path, join(names, " "));
        std::vector<std::string> listed;
        for (const auto& argument : command.arguments)
            listed.insert(listed.end(), argument.values.begin(), argument.values.end());
        if (!command.arguments.empty()) arguments.emplace_back(path, join(listed, " "));
        if (command.takes_settings) takes_settings.emplace_back(path, "yes");
    }
    std::vector<std::string> names;
    for (const auto& setting : settings) {
        names.push_back(setting.key + "=");
        if (!setting.values.empty()) keys.emplace_back(setting.key, join(setting.values, " "));
    }
    return table("_longbow_verbs", verbs) + table("_longbow_flags", flags) + table("_longbow_values", values) +
           table("_longbow_arguments", arguments) + table("_longbow_takes_settings", takes_settings) +
           table("_longbow_setting_values", keys) + "_longbow_keys='" + join(names, " ") + "'\n_longbow_sections='" +
           join(setting_sections(settings), " ") + "'\n";
}

}  // namespace longbow
