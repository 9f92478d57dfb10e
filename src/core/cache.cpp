#include "longbow/core/cache.h"

#include <cstdlib>

namespace longbow {

namespace {

std::filesystem::path path_in(const char* variable) {
    const char* value = std::getenv(variable);
    return value == nullptr ? "" : value;
}

}  // namespace

std::filesystem::path cache_folder() {
    if (const auto cache = path_in("LONGBOW_CACHE"); !cache.empty()) return cache;
    if (const auto base = path_in("XDG_CACHE_HOME"); !base.empty()) return base / "longbow";
    const auto home = path_in("HOME");
    return home.empty() ? home : home / ".cache" / "longbow";
}

}  // namespace longbow
