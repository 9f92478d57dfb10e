// How a verb joins the command line: one file src/cli/<verb>.cpp that declares its flags, says what to run, and registers itself.
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
// The cli room is linked whole, so that no registration is dropped, and nobody edits a list of verbs. Verbs with verbs of their own
// (`config show`) pass their CLI::App to add_verb() as the parent. What runs may throw any Error: run_cli() turns it into one line on
// stderr and the documented exit code.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "common.h"

namespace longbow {

using VerbAction = std::function<int(const CommonOptions&)>;

// What parsing leaves behind: the common flags, and the action of the verb that was named.
struct VerbContext {
    CommonOptions common;
    VerbAction action;
};

using VerbAdder = void (*)(CLI::App& app, VerbContext& context);

struct VerbEntry {
    int order;  // place in `longbow --help`, ascending
    VerbAdder add;
};

// Registered verbs, in the order of --help.
std::vector<VerbEntry> registered_verbs();
bool register_verb(int order, VerbAdder add);

// At namespace scope in a verb's .cpp. Orders: prepare 10, train 20, eval 30, compare 40, report 50, generate 60, inspect 70,
// config 80, verify 90, doctor 100, bench 110; new ones between.
#define LONGBOW_REGISTER_VERB(order, adder) static const bool longbow_verb_registered = ::longbow::register_verb(order, adder)

// A verb that runs, with the flags that every verb has. `example` is shown at the end of its --help (several lines are welcome).
CLI::App* add_verb(CLI::App& parent, VerbContext& context, const std::string& name, const std::string& help, const std::string& example);

// A verb that only holds others (`longbow config`): one of them must follow.
CLI::App* add_verb_group(CLI::App& parent, const std::string& name, const std::string& help, const std::string& example);

// What the verb does once all flags have been read; returns the exit code.
void run_with(CLI::App* verb, VerbContext& context, VerbAction action);

// Names of positional arguments that --help shows as `key.sub=value` and `key=value`.
inline constexpr const char* kOverrideArgument = "OVERRIDE";
inline constexpr const char* kOptionArgument = "OPTION";

// `-c FILE`, repeatable, one file each (so that it does not swallow what follows), and `key.sub=value ..`. Returns the option of -c.
struct ConfigArguments {
    std::vector<std::string> files;
    std::vector<std::string> overrides;
};
CLI::Option* add_config_arguments(CLI::App* verb, ConfigArguments& arguments, bool required = true);

}  // namespace longbow
