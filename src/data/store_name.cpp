#include "longbow/data/store_name.h"

#include <algorithm>
#include <array>

#include "longbow/core/output.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kNamedFiles = 3;

std::string file_name(const std::string& file) {
    const auto path = whole_path(file);
    const bool device = starts_with(path.string(), "/dev/") || starts_with(path.string(), "/proc/");
    return device ? "piped text" : path.filename().string();
}

}  // namespace

std::string store_name(const fs::path& store) {
    const auto path = whole_path(store);
    static const std::array plain{"store", "stores", "tokens", "data", "corpus"};
    const auto name = path.filename().string();
    const auto above = path.parent_path().filename().string();
    const bool says_little = std::find(plain.begin(), plain.end(), name) != plain.end();
    return says_little && !above.empty() ? above + "/" + name : name;
}

std::string data_set_of(const fs::path& path) {
    static const std::array known{"wikitext103", "bookcorpus", "cc100", "austen"};
    std::string found;
    for (const auto* name : known) {
        if (path.string().find(name) == std::string::npos) continue;
        if (!found.empty()) return "";
        found = name;
    }
    return found;
}

std::string text_name(const std::vector<std::string>& files) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < std::min(files.size(), kNamedFiles); ++i) names.push_back(file_name(files[i]));
    const auto more = files.size() - names.size();
    return join(names, " + ") + (more > 0 ? strprintf(" + %zu more", more) : "");
}

}  // namespace longbow
