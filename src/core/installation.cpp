#include "longbow/core/installation.h"

#include "longbow/core/cache.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

struct Installation {
    fs::path prefix, torch;
};

Installation& installation() {
    static Installation instance;
    return instance;
}

constexpr const char* kConfigs = "configs";

}  // namespace

void set_installation(const fs::path& prefix, const fs::path& torch) { installation() = {prefix, torch}; }

fs::path installed_share() {
    const auto& prefix = installation().prefix;
    return prefix.empty() ? prefix : prefix / "share" / "longbow";
}

fs::path installed_schema() {
    const auto share = installed_share();
    return share.empty() ? share : share / "longbow.schema.json";
}

fs::path own_library(const std::string& name) {
    const auto& prefix = installation().prefix;
    return prefix.empty() ? fs::read_symlink("/proc/self/exe").parent_path() / name : prefix / "lib" / name;
}

std::string torch_library(const std::string& name) {
    const auto& torch = installation().torch;
    return torch.empty() ? name : (torch / name).string();
}

ConfigChoice choose_config(const std::string& given) {
    const auto share = installed_share();
    const fs::path path = given;
    if (share.empty() || path.empty() || path.is_absolute()) return {given, {}};
    const fs::path installed = share / (*path.begin() == kConfigs ? path : kConfigs / path);
    std::error_code none;
    if (!fs::exists(installed, none)) return {given, {}};
    if (fs::exists(path, none))
        return {given, given + ": taking the one here, not the installed " + installed.string()};
    return {installed.string(), given + ": not here, taking the installed " + installed.string()};
}

bool is_installed_config(const std::string& file) {
    const auto share = installed_share();
    if (share.empty()) return false;
    std::error_code none;
    const auto configs = fs::weakly_canonical(share / kConfigs, none).string() + "/";
    return starts_with(fs::weakly_canonical(file, none).string(), configs);
}

std::string installed_data_path(const std::string& path) {
    const auto cache = cache_folder();
    return path.empty() || fs::path(path).is_absolute() || cache.empty() ? path : (cache / path).string();
}

}  // namespace longbow
