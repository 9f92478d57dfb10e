// longbow completions bash|zsh|fish, longbow man: print the completions of a shell, and the manual page. `cmake
// --install` puts both where shells and man look for them.
#include <functional>
#include <iostream>
#include <map>
#include <memory>

#include "command_tree.h"
#include "longbow/core/build_info.h"
#include "verbs.h"

namespace longbow {

namespace {

using Writer = std::string (*)(const std::vector<CommandEntry>&, const std::vector<SettingEntry>&);

void add_completions(CLI::App& app, VerbContext& context) {
    static const std::map<std::string, Writer> writers{
        {"bash", bash_completions}, {"fish", fish_completions}, {"zsh", zsh_completions}};
    auto shell = std::make_shared<std::string>();
    auto* verb = add_verb(app, context, "completions", "Print the completions of a shell",
                          "source <(longbow completions bash)\n  longbow completions zsh > ~/.zfunc/_longbow\n"
                          "  longbow completions fish > ~/.config/fish/completions/longbow.fish");
    verb->add_option("SHELL", *shell, "The shell")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
    run_with(verb, context, [shell, &app](const CommonOptions&) {
        std::cout << writers.at(*shell)(command_tree(app), setting_entries());
        return 0;
    });
}
LONGBOW_REGISTER_VERB(124, add_completions);

void add_man(CLI::App& app, VerbContext& context) {
    auto* verb = add_verb(app, context, "man", "Print the manual page", "longbow man | man -l -");
    run_with(verb, context, [&app](const CommonOptions&) {
        std::cout << manual_page(command_tree(app), build_info().version);
        return 0;
    });
}
const bool man_registered = register_verb(126, add_man);

}  // namespace

}  // namespace longbow
