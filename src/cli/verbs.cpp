#include "verbs.h"

#include <algorithm>

#include "command_tree.h"
#include "config_file.h"
#include "version.h"
#include "whole_number.h"

namespace longbow {

namespace {

std::vector<VerbEntry>& entries() {
    static std::vector<VerbEntry> instance;
    return instance;
}

}  // namespace

bool register_verb(int order, VerbAdder add) {
    entries().push_back({order, add});
    return true;
}

std::vector<VerbEntry> registered_verbs() {
    auto sorted = entries();
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const VerbEntry& a, const VerbEntry& b) { return a.order < b.order; });
    return sorted;
}

CLI::App* add_verb(CLI::App& parent, VerbContext& context, const std::string& name, const std::string& help,
                   const std::string& example) {
    auto* verb = parent.add_subcommand(name, help);
    verb->footer("\nExample:\n  " + example);
    auto& common = context.common;
    const std::string group = kCommonOptions;
    verb->set_help_flag("-h,--help", "Print this help and exit")->group(group);
    verb->set_version_flag("--version", version_text, "Print the build and exit")->group(group);
    verb->add_option("--device", common.device, "auto | cpu | cuda[:N]")
        ->type_name("DEVICE")
        ->capture_default_str()
        ->group(group);
    verb->add_option("--threads", common.threads, "CPU threads; default: every core that this process may use")
        ->type_name("N")
        ->check(whole_number(1, 4096))
        ->group(group);
    verb->add_option("--log-level", common.log_level, "trace | debug | info | warn | error | off")
        ->type_name("LEVEL")
        ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "off"}, CLI::ignore_case))
        ->capture_default_str()
        ->group(group);
    verb->add_flag("--quiet", common.quiet, "Only warnings and errors on the terminal; no progress line")->group(group);
    return verb;
}

CLI::App* add_verb_group(CLI::App& parent, const std::string& name, const std::string& help,
                         const std::string& example) {
    auto* verb = parent.add_subcommand(name, help);
    verb->footer("\nExample:\n  " + example);
    verb->set_version_flag("--version", version_text, "Print the build and exit");
    verb->require_subcommand(0, 1);
    return verb;
}

void run_with(CLI::App* verb, VerbContext& context, VerbAction action) {
    verb->callback([&context, action = std::move(action)] { context.action = action; });
}

CLI::Option* add_config_arguments(CLI::App* verb, ConfigArguments& arguments, bool required) {
    auto* files =
        verb->add_option("-c,--config", arguments.files, "Config file (YAML); may be repeated, later files win")
            ->type_name("FILE")
            ->transform(config_file())
            ->expected(1)
            ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
            ->allow_extra_args(false);
    if (required) files->required();
    verb->add_option(kOverrideArgument, arguments.overrides, "Overrides of the config, e.g. train.length=128")
        ->type_name("")
        ->check([](const std::string& text) -> std::string {
            if (text.find('=') != std::string::npos) return {};
            return "'" + text + "' is not an override: expected key.sub=value (a config file is given with -c)";
        });
    return files;
}

}  // namespace longbow
