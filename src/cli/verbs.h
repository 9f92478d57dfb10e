// Lets a verb join the command line: one file src/cli/<verb>.cpp declares its flags and its action, and registers
// itself.
//
//     namespace longbow {
//     namespace {
//     void add_frob(CLI::App& app, VerbContext& context) {
//         struct Flags { std::string path; };
//         auto flags = std::make_shared<Flags>();
//         auto* verb = add_verb(app, context, "frob", "Frob a store", "longbow frob data/store --device cpu");
//         verb->add_option("PATH", flags->path, "What to frob")->required();
//         run_with(verb, context, [flags](const CommonOptions& common) { ...; return 0; });
//     }
//     LONGBOW_REGISTER_VERB(50, add_frob);
//     }  // namespace
//     }  // namespace longbow
//
// The linker keeps the registration because the cli room is linked whole, so there is no list of verbs to edit. A verb
// that has verbs of its own (`config show`) passes its CLI::App to add_verb() as the parent. Actions may throw any
// Error: run_cli() turns it into one line on stderr and the documented exit code.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "common.h"

namespace longbow {

using VerbAction = std::function<int(const CommonOptions&)>;

// Holds the result of parsing: the common flags, and the action of the named verb.
struct VerbContext {
    CommonOptions common;
    VerbAction action;
};

using VerbAdder = void (*)(CLI::App& app, VerbContext& context);

struct VerbEntry {
    int order;  // place in `longbow --help`, ascending
    VerbAdder add;
};

// Returns all registered verbs, in the order of --help.
std::vector<VerbEntry> registered_verbs();
bool register_verb(int order, VerbAdder add);

// Stands at namespace scope in a verb's .cpp. The orders in use are: prepare 10, train 20, eval 30, compare 40, report
// 50, generate 60, inspect 70, config 80, verify 90, doctor 100, bench 110; new ones go between them.
#define LONGBOW_REGISTER_VERB(order, adder) \
    static const bool longbow_verb_registered = ::longbow::register_verb(order, adder)

// Adds a verb that runs something, with the flags that every verb has. `example` is shown at the end of its --help and
// may have several lines.
CLI::App* add_verb(CLI::App& parent, VerbContext& context, const std::string& name, const std::string& help,
                   const std::string& example);

// Adds a verb that only has verbs below it (`longbow config`), one of which must follow.
CLI::App* add_verb_group(CLI::App& parent, const std::string& name, const std::string& help,
                         const std::string& example);

// Sets the action that the verb runs once all flags have been read. It returns the exit code.
void run_with(CLI::App* verb, VerbContext& context, VerbAction action);

// Names of positional arguments, which --help shows as `key.sub=value` and `key=value`.
inline constexpr const char* kOverrideArgument = "OVERRIDE";
inline constexpr const char* kOptionArgument = "OPTION";

// Holds the values of `-c FILE`, which may be repeated and takes one file each (so that it does not swallow the words
// after it), and of `key.sub=value ..`.
struct ConfigArguments {
    std::vector<std::string> files;
    std::vector<std::string> overrides;
};
// Adds these arguments to a verb and returns the option of -c.
CLI::Option* add_config_arguments(CLI::App* verb, ConfigArguments& arguments, bool required = true);

}  // namespace longbow
