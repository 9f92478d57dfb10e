// longbow help [COMMAND ..]: prints what `longbow COMMAND .. --help` prints.
#include <iostream>
#include <memory>

#include "longbow/core/error.h"
#include "longbow/core/strings.h"
#include "verbs.h"

namespace longbow {

namespace {

const CLI::App& verb_named(const CLI::App& parent, const std::string& word) {
    std::vector<std::string> names;
    for (const auto* verb : parent.get_subcommands([](const CLI::App*) { return true; })) {
        if (verb->get_name() == word) return *verb;
        names.push_back(verb->get_name());
    }
    if (names.empty())
        throw UsageError("longbow help: " + parent.get_name() + " has no commands of its own, such as '" + word + "'");
    const auto near = nearest(word, names);
    throw UsageError("longbow help: unknown command '" + word + "'" +
                     (near ? ", did you mean '" + *near + "'?" : "; there are: " + join(names, ", ")));
}

void add_help(CLI::App& app, VerbContext& context) {
    auto words = std::make_shared<std::vector<std::string>>();
    auto* verb = app.add_subcommand("help", "Print the help of a command, as its --help does");
    verb->footer("\nExample:\n  longbow help train\n  longbow help config show");
    verb->add_option("COMMAND", *words, "Command, and the command below it");
    run_with(verb, context, [words, &app](const CommonOptions&) {
        const auto* shown = &app;
        std::string path = app.get_name();
        for (const auto& word : *words) {
            shown = &verb_named(*shown, word);
            path += " " + word;
        }
        // App::help() would print the help of the verb that was parsed, which is `help` itself.
        std::cout << app.get_formatter()->make_help(shown, path, CLI::AppFormatMode::Normal);
        return 0;
    });
}
LONGBOW_REGISTER_VERB(120, add_help);

}  // namespace

}  // namespace longbow
