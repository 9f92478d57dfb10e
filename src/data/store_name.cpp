#include "longbow/data/store_name.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <set>
#include <string_view>

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

// Returns whether the text has the word, with no letter or digit beside it.
bool has_word(std::string_view text, std::string_view word) {
    const auto ends = [](std::string_view rest) {
        return rest.empty() || !std::isalnum(static_cast<unsigned char>(rest[0]));
    };
    for (auto at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
        if (ends(text.substr(at > 0 ? at - 1 : 0, at > 0 ? 1 : 0)) && ends(text.substr(at + word.size()))) return true;
    }
    return false;
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
    const auto place = without_trailing_slashes(path.lexically_normal());
    const std::string near = place.parent_path().filename().string() + "/" + place.filename().string();
    std::string found;
    for (const std::string name : {"wikitext103", "bookcorpus", "cc100", "austen"}) {
        if (!has_word(near, name)) continue;
        if (!found.empty()) return "";
        found = name;
    }
    return found;
}

std::string data_set_of(const std::vector<std::string>& files) {
    std::set<std::string> names;
    for (const auto& file : files) names.insert(data_set_of(fs::path(file)));
    return names.size() == 1 ? *names.begin() : "";
}

std::string text_name(const std::vector<std::string>& files) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < std::min(files.size(), kNamedFiles); ++i) names.push_back(file_name(files[i]));
    const auto more = files.size() - names.size();
    return join(names, " + ") + (more > 0 ? fmt::format(" + {} more", more) : "");
}

}  // namespace longbow
