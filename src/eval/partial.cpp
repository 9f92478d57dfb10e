#include "partial.h"

#include <cstring>

#include "longbow/core/files.h"
#include "longbow/core/hash.h"

namespace longbow {

namespace {

// The file has one line of text, "longbow-partial 1 KEY HASH-OF-LOSSES COUNT\n", followed by the losses as raw fp32.
std::string header(const std::string& key, const std::string& losses) {
    return "longbow-partial 1 " + key + " " + fingerprint(losses) + " " +
           std::to_string(losses.size() / sizeof(float)) + "\n";
}

}  // namespace

std::vector<float> read_partial(const std::filesystem::path& path, const std::string& key) {
    if (path.empty() || !fs::exists(path)) return {};
    const auto text = read_file(path);
    const auto line = text.find('\n');
    if (line == std::string::npos) return {};
    const auto losses = text.substr(line + 1);
    if (losses.size() % sizeof(float) != 0 || text.compare(0, line + 1, header(key, losses)) != 0) return {};
    std::vector<float> nll(losses.size() / sizeof(float));
    if (!nll.empty()) std::memcpy(nll.data(), losses.data(), losses.size());
    return nll;
}

void write_partial(const std::filesystem::path& path, const std::string& key, const std::vector<float>& nll,
                   std::size_t count) {
    const std::string losses(reinterpret_cast<const char*>(nll.data()), count * sizeof(float));
    write_file_atomic(path, header(key, losses) + losses);
}

}  // namespace longbow
