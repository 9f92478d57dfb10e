// The verbs, flags and settings of the program as plain data, from which the completions of the shells and the manual
// page are written. They come from the command line's own declarations, so that neither can differ from --help.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace longbow {

// The group of the flags that every verb has, as --help calls it.
inline constexpr const char* kCommonOptions = "Common options";

struct FlagEntry {
    std::vector<std::string> names;  // "-c", "--config"; of a positional argument its name: "RUN"
    std::string type;                // what the value is: "FILE", "cpu|cuda"; empty for a flag without a value
    std::string help;
    std::vector<std::string> values;  // the values that can be listed; empty: any
    bool takes_value = false;
    bool common = false;  // of the flags that every verb has
};

struct CommandEntry {
    std::vector<std::string> words;  // "longbow", "config", "show"
    std::string help;
    std::vector<std::string> examples;  // whole command lines
    std::vector<std::string> verbs;     // the words that may follow
    std::vector<FlagEntry> arguments;   // positional, without key.sub=value
    std::vector<FlagEntry> flags;
    bool takes_settings = false;  // key.sub=value

    [[nodiscard]] std::string path() const;  // "longbow config show"
};

// Returns the program and all its verbs, each before those below it.
std::vector<CommandEntry> command_tree(const CLI::App& app);

// A key that a configuration may have, once, whichever objects it belongs to.
struct SettingEntry {
    std::string key;  // "position.method"
    std::string help;
    std::vector<std::string> values;  // the values that can be listed; empty: any
};
std::vector<SettingEntry> setting_entries();

// Returns the names of the sections with a dot: "train.".
std::vector<std::string> setting_sections(const std::vector<SettingEntry>& settings);

// These write the completions of a shell, and the manual page as roff (man(7)).
std::string bash_completions(const std::vector<CommandEntry>& tree, const std::vector<SettingEntry>& settings);
std::string zsh_completions(const std::vector<CommandEntry>& tree, const std::vector<SettingEntry>& settings);
std::string fish_completions(const std::vector<CommandEntry>& tree, const std::vector<SettingEntry>& settings);
std::string manual_page(const std::vector<CommandEntry>& tree, const std::string& version);

}  // namespace longbow
