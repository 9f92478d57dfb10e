// Completes in fish, with the help of each flag and setting beside it.
#include <fmt/core.h>

#include "command_tree.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

constexpr const char* kFunctions = R"fish(
# Prints the command that has been typed so far: "longbow config show".
function __longbow_command
    set -l command longbow
    for word in (commandline -opc)[2..-1]
        if contains -- $word (__longbow_verbs $command)
            set command "$command $word"
        end
    end
    echo $command
end

function __longbow_is
    test (__longbow_command) = "$argv"
end

# Prints the keys of settings, or behind a key and = its values.
function __longbow_settings
    set -l word (commandline -ct)
    if string match -q -- '*=*' $word
        set -l key (string split -m 1 = -- $word)[1]
        for value in (__longbow_setting_values $key)
            echo "$key=$value"
        end
    else
        __longbow_keys
    end
end

# Prints the installed configurations, as -c takes them.
function __longbow_configs
    set -l program (commandline -opc)[1]
    set -l configs (dirname (realpath (command -s $program)))/../share/longbow/configs
    if test -d $configs
        for file in $configs/*/*.yaml
            string replace -- $configs/ '' $file
        end
    end
end
)fish";

std::string quoted(const std::string& text) {
    std::string result = "'";
    for (const char c : text) result += c == '\'' || c == '\\' ? std::string("\\") + c : std::string(1, c);
    return result + "'";
}

// Writes a function that prints, for its argument, one word a line.
std::string table(const std::string& name, const std::vector<std::pair<std::string, std::vector<std::string>>>& rows) {
    std::string text = "function " + name + "\n    switch \"$argv\"\n";
    for (const auto& [question, words] : rows) {
        text += fmt::format("        case {}\n            printf '%s\\n' {}\n", quoted(question), join(words, " "));
    }
    return text + "    end\nend\n";
}

std::string flag_line(const std::string& condition, const FlagEntry& flag) {
    std::string line = "complete -c longbow -n " + quoted(condition);
    for (const auto& name : flag.names)
        line += starts_with(name, "--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
    if (flag.takes_value) {
        const bool config = flag.names.back() == "--config";
        line += flag.values.empty() ? " -r" : " -x -a " + quoted(join(flag.values, " "));
        if (config) line += " -a '(__longbow_configs)'";
    }
    return line + " -d " + quoted(flag.help) + "\n";
}

}  // namespace

std::string fish_completions(const std::vector<CommandEntry>& tree, const std::vector<SettingEntry>& settings) {
    std::vector<std::pair<std::string, std::vector<std::string>>> verbs, values;
    std::string lines, keys = "function __longbow_keys\n";
    for (const auto& command : tree) {
        const auto condition = "__longbow_is " + command.path();
        if (!command.verbs.empty()) verbs.emplace_back(command.path(), command.verbs);
        for (const auto& flag : command.flags) lines += flag_line(condition, flag);
        for (const auto& argument : command.arguments) {
            if (argument.values.empty()) continue;
            lines += "complete -c longbow -n " + quoted(condition) + " -a " + quoted(join(argument.values, " ")) + "\n";
        }
        if (command.takes_settings)
            lines += "complete -c longbow -n " + quoted(condition) + " -a '(__longbow_settings)'\n";
        const auto* parent = &command;
        for (const auto& other : tree) {
            if (other.words.size() + 1 == command.words.size() && starts_with(command.path(), other.path() + " "))
                parent = &other;
        }
        if (parent != &command) {
            lines += "complete -c longbow -n " + quoted("__longbow_is " + parent->path()) + " -f -a " +
                     quoted(command.words.back()) + " -d " + quoted(command.help) + "\n";
        }
    }
    for (const auto& setting : settings) {
        keys += "    printf '%s\\t%s\\n' " + setting.key + "= " + quoted(setting.help) + "\n";
        if (!setting.values.empty()) values.emplace_back(setting.key, setting.values);
    }
    return "# Completes longbow in fish; written by `longbow completions fish`.\n" + table("__longbow_verbs", verbs) +
           table("__longbow_setting_values", values) + keys + "end\n" + kFunctions + "\n" + lines;
}

}  // namespace longbow
