// Parses the command line, runs the verb, and turns every exception into one line on stderr and the documented exit
// code.
#include "longbow/cli/cli.h"

#include <c10/util/Exception.h>
#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>
#include <new>

#include "config_file.h"
#include "flag_values.h"
#include "longbow/core/error.h"
#include "longbow/core/standard_output.h"
#include "longbow/core/strings.h"
#include "longbow/core/utf8.h"
#include "longbow/telemetry/log.h"
#include "ranks.h"
#include "verbs.h"
#include "version.h"

namespace longbow {

namespace {

int report(std::string message, ExitCode code, const char* kind = "error") {
    // A decision of all ranks is reported by rank 0 alone.
    const bool agreed = code == ExitCode::interrupted || code == ExitCode::diverged;
    if (reporting_rank() != 0 && agreed) return static_cast<int>(code);
    // Every message becomes one line.
    std::string line;
    for (const char c : std::string(trim(message))) {
        if (c == '\n' || c == '\r') {
            if (!line.empty() && line.back() != ' ') line += ' ';
        } else if (c != ' ' || line.empty() || line.back() != ' ') {
            line += c;
        }
    }
    log::flush();
    std::cout.flush();
    const auto who = reporting_rank() == 0 ? std::string() : fmt::format("[rank {}] ", reporting_rank());
    std::fprintf(stderr, "%slongbow: %s: %s\n", who.c_str(), kind, escape_invalid_utf8(line).c_str());
    return static_cast<int>(code);
}

std::vector<std::string> verb_names(const CLI::App& app) {
    std::vector<std::string> names;
    for (const auto* verb : app.get_subcommands([](const CLI::App*) { return true; }))
        names.push_back(verb->get_name());
    return names;
}

std::vector<std::string> flag_names(const CLI::App& app) {
    std::vector<std::string> names;
    for (const auto* option : app.get_options()) {
        for (const auto& name : option->get_lnames()) names.push_back("--" + name);
        for (const auto& name : option->get_snames()) names.push_back("-" + name);
    }
    return names;
}

std::string suggestion(const std::string& word, const std::vector<std::string>& known) {
    if (const auto near = nearest(word, known)) return ", did you mean '" + *near + "'?";
    return "";
}

std::string path_of(const CLI::App* app) {
    std::string path = app->get_name();
    for (const auto* parent = app->get_parent(); parent != nullptr; parent = parent->get_parent())
        path = parent->get_name() + " " + path;
    return path;
}

// Returns the innermost verb that the command line named.
CLI::App* deepest_subcommand(CLI::App* app) {
    while (true) {
        const auto parsed = app->get_subcommands();
        if (parsed.empty()) return app;
        app = parsed.back();
    }
}

// Returns the message for a command line that CLI11 rejected. CLI11's own messages make no suggestions, and a required
// flag that is missing hides a misspelt one, so words that were not understood are examined first.
std::string usage_message(CLI::App& app, const CLI::ParseError& error) {
    auto* verb = deepest_subcommand(&app);
    const std::string path = path_of(verb);
    if (const auto slip = usage_mistake_in(*verb); !slip.empty()) return path + ": " + slip;
    for (const auto& word : verb->remaining(true)) {
        if (word.size() > 1 && word[0] == '-') {
            const std::string flag = word.substr(0, word.find('='));
            const auto near = suggestion(flag, flag_names(*verb));
            return path + ": unknown flag '" + flag + "'" + (near.empty() ? "; see " + path + " --help" : near);
        }
        const auto verbs = verb_names(*verb);
        if (!verbs.empty()) {
            const auto near = suggestion(word, verbs);
            return path + ": unknown command '" + word + "'" +
                   (near.empty() ? "; there are: " + join(verbs, ", ") : near);
        }
        return path + ": unexpected argument '" + word + "'; see " + path + " --help";
    }
    if (dynamic_cast<const CLI::ConversionError*>(&error) != nullptr) {
        // "Could not convert: --seed = 64k"
        const std::string what = error.what();
        const auto name = what.find(": "), value = what.find(" = ");
        if (name != std::string::npos && value != std::string::npos && value > name) {
            return path + ": " + what.substr(name + 2, value - name - 2) + ": '" + what.substr(value + 3) +
                   "' is not a number that it can take";
        }
    }
    return path + ": " + error.what() +
           (dynamic_cast<const CLI::RequiredError*>(&error) ? "; see " + path + " --help" : "");
}

// From version 2.4 on CLI11 refuses names with `=` in them, so positional arguments for overrides have a plain name,
// and help shows them as they are written.
class HelpFormatter : public CLI::Formatter {
public:
    std::string make_option_name(const CLI::Option* option, bool positional) const override {
        auto name = CLI::Formatter::make_option_name(option, positional);
        if (positional && name == kOverrideArgument) return "key.sub=value";
        if (positional && name == kOptionArgument) return "key=value";
        return name;
    }
};

void finish_standard_output() {
    std::cout.flush();
    if (std::cout) return;
    const auto why = standard_output_error();
    throw Error("cannot write to standard output" + (why.empty() ? "" : ": " + why));
}

// Returns the words of the command line in reverse order, as CLI11 takes them. `--flag=` becomes the flag and an empty
// value, since CLI11 would take the next word for the value.
std::vector<std::string> words_of(int argc, char** argv) {
    std::vector<std::string> words;
    for (int i = argc - 1; i > 0; --i) {
        std::string word = argv[i];
        if (starts_with(word, "--") && word.find('=') == word.size() - 1) {
            words.emplace_back();
            word.pop_back();
        }
        words.push_back(std::move(word));
    }
    return words;
}

int run_action(VerbContext& context) {
    apply_common(context.common);
    log_config_choices();
    const int code = context.action(context.common);
    finish_standard_output();
    return code;
}

int run(int argc, char** argv) {
    CLI::App app{"Longbow: language models trained on short inputs and measured on long ones", "longbow"};
    app.formatter(std::make_shared<HelpFormatter>());
    app.set_version_flag("--version", version_text, "Print the build and exit");
    app.footer(
        "\nEach command has its own --help with an example.\nExample:\n  longbow train -c configs/demo/alibi.yaml\n"
        "  longbow eval runs/alibi --data data/corpora/austen/store --lengths 64,128,256,512,1024");
    app.require_subcommand(0, 1);  // once the verb is known, an argument with the name of a verb is just an argument
    VerbContext context;
    for (const auto& entry : registered_verbs()) entry.add(app, context);
    try {
        app.parse(words_of(argc, argv));
    } catch (const CLI::Success& request) {  // --help, --version
        // `longbow trian --help` asks for the help of a command that does not exist.
        const auto* verb = deepest_subcommand(&app);
        const auto left = verb->remaining(true);
        if (!verb_names(*verb).empty() && !left.empty() && !starts_with(left.front(), "-"))
            throw UsageError(usage_message(app, CLI::ExtrasError(left)));
        const int code = app.exit(request);
        finish_standard_output();
        return code;
    } catch (const CLI::ParseError& error) {
        throw UsageError(usage_message(app, error));
    }
    auto* verb = deepest_subcommand(&app);
    if (const auto slip = usage_mistake_in(*verb); !slip.empty()) throw UsageError(path_of(verb) + ": " + slip);
    if (!context.action) {
        throw UsageError(path_of(verb) + ": a command is missing; there are: " + join(verb_names(*verb), ", "));
    }
    return run_action(context);
}

}  // namespace

int run_cli(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const InterruptedError& error) {
        return report(error.what(), error.code(), "interrupted");
    } catch (const Error& error) {
        return report(error.what(), error.code());
    } catch (const std::bad_alloc&) {
        return report("out of memory", ExitCode::failure);
    } catch (const std::filesystem::filesystem_error& error) {
        return report(error.what(), ExitCode::failure);
    } catch (const c10::Error& error) {
        return report(std::string("LibTorch: ") + error.what_without_backtrace(), ExitCode::failure);
    } catch (const std::exception& error) {
        return report(error.what(), ExitCode::failure);
    }
}

}  // namespace longbow
