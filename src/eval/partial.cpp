#include "partial.h"

#include <fmt/core.h>

#include <cstring>

#include "longbow/core/files.h"
#include "longbow/core/hash.h"

namespace longbow {

namespace {

// The file has one line of text, "longbow-partial VERSION KEY HASH-OF-LOSSES COUNT\n", followed by the losses as raw
// fp32 (version 1) or fp64 (version 2).
std::string header(const std::string& key, const std::string& losses, std::size_t item_size) {
    return fmt::format("longbow-partial {} {} {} {}\n", item_size == sizeof(float) ? 1 : 2, key, fingerprint(losses),
                       losses.size() / item_size);
}

template <class Float>
std::vector<double> read_as(const std::string& text, const std::string& key) {
    const auto line = text.find('\n');
    if (line == std::string::npos) return {};
    const auto losses = text.substr(line + 1);
    if (losses.size() % sizeof(Float) != 0 || text.compare(0, line + 1, header(key, losses, sizeof(Float))) != 0)
        return {};
    std::vector<Float> nll(losses.size() / sizeof(Float));
    if (!nll.empty()) std::memcpy(nll.data(), losses.data(), losses.size());
    return {nll.begin(), nll.end()};
}

template <class Float>
std::string text_as(const std::string& key, const std::vector<double>& nll, std::size_t count) {
    const std::vector<Float> values(nll.begin(), nll.begin() + static_cast<std::ptrdiff_t>(count));
    const std::string losses(reinterpret_cast<const char*>(values.data()), count * sizeof(Float));
    return header(key, losses, sizeof(Float)) + losses;
}

}  // namespace

std::vector<double> read_partial(const std::filesystem::path& path, const std::string& key, DType dtype) {
    if (path.empty() || !fs::exists(path)) return {};
    const auto text = read_file(path);
    return dtype == DType::fp64 ? read_as<double>(text, key) : read_as<float>(text, key);
}

void write_partial(const std::filesystem::path& path, const std::string& key, const std::vector<double>& nll,
                   std::size_t count, DType dtype) {
    write_file_atomic(path, dtype == DType::fp64 ? text_as<double>(key, nll, count) : text_as<float>(key, nll, count));
}

}  // namespace longbow
