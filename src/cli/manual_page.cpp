// Writes longbow(1). It has no date, so that the same program writes the same page.
#include <fmt/core.h>

#include "command_tree.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

// Returns text in which nothing is a request of roff: a dot or an apostrophe begins one at the start of a line, and a
// plain - would be a hyphen.
std::string roff(const std::string& text) {
    std::string result;
    for (const char c : text) {
        if (c == '\\') {
            result += "\\e";
        } else if (c == '-') {
            result += "\\-";
        } else if (c == '~') {
            result += "\\(ti";
        } else if (c == '^') {
            result += "\\(ha";
        } else if (c == '`') {
            result += "\\(ga";
        } else if (c == '\n') {
            result += ' ';
        } else {
            result += c;
        }
    }
    return result.empty() || (result[0] != '.' && result[0] != '\'') ? result : "\\&" + result;
}

std::string bold(const std::string& text) { return "\\fB" + roff(text) + "\\fR"; }
std::string italic(const std::string& text) { return "\\fI" + roff(text) + "\\fR"; }

std::string entry(const std::string& head, const std::string& body) {
    return ".TP\n" + head + "\n" + (body.empty() ? "\\&" : roff(body)) + "\n";
}

std::string flag_entry(const FlagEntry& flag) {
    std::vector<std::string> names;
    for (const auto& name : flag.names) names.push_back(bold(name));
    auto head = join(names, ", ");
    if (flag.takes_value && !flag.type.empty()) head += " " + italic(flag.type);
    auto help = flag.help;
    const bool said = flag.type.find('|') != std::string::npos || help.find(" | ") != std::string::npos;
    if (!flag.values.empty() && !said) help += " (" + join(flag.values, ", ") + ")";
    return entry(head, help);
}

std::string command_section(const CommandEntry& command) {
    std::string synopsis = bold(command.path());
    for (const auto& argument : command.arguments) synopsis += " " + italic(argument.names.front());
    synopsis += " [" + italic("FLAG") + " ..]";
    if (command.takes_settings) synopsis += " [" + italic("key.sub=value") + " ..]";
    std::string text = ".SS " + roff(command.path()) + "\n" + roff(command.help) + ".\n.PP\n" + synopsis + "\n";
    for (const auto& argument : command.arguments) {
        text += entry(italic(argument.names.front()), argument.help);
    }
    for (const auto& flag : command.flags) {
        if (!flag.common) text += flag_entry(flag);
    }
    if (!command.examples.empty()) {
        text += ".PP\nExample:\n.PP\n.nf\n.RS\n";
        for (const auto& example : command.examples) text += roff(example) + "\n";
        text += ".RE\n.fi\n";
    }
    return text;
}

// Returns the flags that every command has, which are described once.
std::vector<FlagEntry> common_flags(const std::vector<CommandEntry>& tree) {
    std::vector<FlagEntry> common;
    for (const auto& command : tree) {
        for (const auto& flag : command.flags) {
            if (flag.common) common.push_back(flag);
        }
        if (!common.empty()) break;
    }
    return common;
}

constexpr const char* kEnd = R"roff(.SH CONFIGURATIONS
A configuration is a YAML file.
.B longbow config list
prints every key, and
.B longbow config schema
the JSON Schema for editors.
The name of a file that does not exist is looked for among the installed configurations:
.B \-c demo/alibi.yaml
names
.IR PREFIX /share/longbow/configs/demo/alibi.yaml.
The paths of data in an installed configuration begin in the cache.
.SH ENVIRONMENT
.TP
.B LONGBOW_TORCH
The folder of the torch to load: the package, or a Python environment that has it.
Without it, longbow takes the torch of the environment in which it is installed, of the active virtual or conda
environment, of the Python on PATH, or of the cache.
.TP
.B LONGBOW_CACHE
The folder for what can be made or fetched again; by default
.I $XDG_CACHE_HOME/longbow
or
.IR \(ti/.cache/longbow .
.TP
.B CUDA_VISIBLE_DEVICES
The GPUs that longbow may use.
.SH EXIT STATUS
0 after success, 2 for a wrong command line, 3 for a wrong configuration, 4 for wrong data, 5 for a checkpoint that is
missing or damaged, 65 if a training diverged, 75 after an interruption that the same command continues, and 1 for
other errors.
)roff";

}  // namespace

std::string manual_page(const std::vector<CommandEntry>& tree, const std::string& version) {
    std::string text = ".TH LONGBOW 1 \"\" \"longbow " + version + "\" \"User Commands\"\n.SH NAME\nlongbow \\- " +
                       roff("trains transformer language models on short inputs and measures them on long ones") +
                       "\n.SH SYNOPSIS\n" + bold("longbow") + " " + italic("COMMAND") + " [" + italic("FLAG") +
                       " ..] [" + italic("ARGUMENT") + " ..]\n.SH DESCRIPTION\n" +
                       roff(
                           "Longbow trains decoder-only transformer language models and measures them at lengths "
                           "beyond those that they were trained on. Each command has its own --help.") +
                       "\n.SH OPTIONS\nEvery command has these.\n";
    for (const auto& flag : common_flags(tree)) text += flag_entry(flag);
    text += ".SH COMMANDS\n";
    for (const auto& command : tree) {
        if (command.words.size() > 1 && command.verbs.empty()) text += command_section(command);
    }
    return text + kEnd;
}

}  // namespace longbow
