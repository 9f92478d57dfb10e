#include "longbow/data/nearest_store.h"

#include <algorithm>
#include <vector>

#include "longbow/core/files.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

constexpr std::size_t kMostNamed = 5;
constexpr std::size_t kMaxExamined = 10000;  // a larger folder is unlikely to hold stores

bool is_store(const fs::path& path) {
    std::error_code ignored;
    return fs::is_regular_file(path / "manifest.json", ignored) && !fs::exists(path / "model.safetensors", ignored);
}

// Returns the names in `folder` that, followed by `rest`, lead to a store.
std::vector<std::string> names_in(const fs::path& folder, const fs::path& rest) {
    std::vector<std::string> names;
    std::error_code error;
    std::size_t examined = 0;
    for (fs::directory_iterator entry(folder.empty() ? fs::path(".") : folder, error), end; !error && entry != end;
         entry.increment(error)) {
        if (++examined > kMaxExamined) break;
        const auto name = entry->path().filename();
        if (is_store(rest.empty() ? folder / name : folder / name / rest)) names.push_back(name.string());
    }
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace

std::string store_suggestion(const fs::path& path) {
    fs::path existing;
    auto part = path.begin();
    std::error_code ignored;
    for (; part != path.end() && !part->empty() && fs::exists(existing / *part, ignored); ++part) existing /= *part;
    // The whole path exists, but is no store. Either it holds stores, or its last part may be wrong.
    if (part == path.end() || part->empty()) {
        const fs::path whole = existing;
        if (whole.empty()) return "";
        if (const auto below = names_in(whole, {}); !below.empty()) {
            std::vector<std::string> stores;
            for (const auto& name : below) stores.push_back((whole / name).string());
            if (stores.size() > kMostNamed) stores.resize(kMostNamed);
            return "; the stores in it: " + join(stores, ", ");
        }
        existing = whole.parent_path();
        part = std::prev(whole.end());
        const auto names = names_in(existing, {});
        const auto near = nearest(part->string(), names);
        return near ? "; did you mean " + (existing / *near).string() + "?" : "";
    }
    fs::path rest;
    for (auto later = std::next(part); later != path.end(); ++later) {
        if (!later->empty()) rest /= *later;
    }
    const auto names = names_in(existing, rest);
    const auto store = [&](const std::string& name) {
        return (rest.empty() ? existing / name : existing / name / rest).string();
    };
    if (const auto near = nearest(part->string(), names)) return "; did you mean " + store(*near) + "?";
    if (names.empty()) return "";
    std::vector<std::string> stores;
    for (const auto& name : names) stores.push_back(store(name));
    if (stores.size() > kMostNamed) stores.resize(kMostNamed);
    return "; the stores there: " + join(stores, ", ");
}

}  // namespace longbow
