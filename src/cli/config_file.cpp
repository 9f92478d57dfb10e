#include "config_file.h"

#include <vector>

#include "longbow/core/installation.h"
#include "longbow/telemetry/log.h"

namespace longbow {

namespace {

std::vector<std::string>& notes() {
    static std::vector<std::string> instance;
    return instance;
}

std::string choose(const std::string& name) {
    auto choice = choose_config(name);
    if (!choice.note.empty()) notes().push_back(std::move(choice.note));
    return std::move(choice.path);
}

}  // namespace

CLI::Validator config_file() {
    return {[](std::string& name) {
                name = choose(name);
                return std::string();
            },
            "", "config_file"};
}

std::string chosen_config(const std::string& name) {
    auto path = choose(name);
    log_config_choices();
    return path;
}

void log_config_choices() {
    for (const auto& note : notes()) log::info(note);
    notes().clear();
}

}  // namespace longbow
