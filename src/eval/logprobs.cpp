#include "longbow/eval/logprobs.h"

#include <algorithm>
#include <string_view>

#include "longbow/core/files.h"
#include "longbow/core/npy.h"
#include "longbow/core/strings.h"

namespace longbow {

std::string logprobs_path(const std::string& pattern, const std::string& run, std::int64_t length) {
    auto name = run;
    // So that the result is one file and not one in a folder that does not exist
    std::replace(name.begin(), name.end(), '/', '-');
    std::string path;
    for (std::size_t at = 0; at < pattern.size();) {
        const auto rest = std::string_view(pattern).substr(at);
        if (starts_with(rest, "{run}")) {
            path += name;
            at += 5;
        } else if (starts_with(rest, "{length}")) {
            path += std::to_string(length);
            at += 8;
        } else {
            path += pattern[at++];
        }
    }
    return path;
}

namespace {

template <class Float>
void append_negatives(std::string& bytes, const std::vector<double>& values) {
    for (const double value : values) {
        const auto negative = static_cast<Float>(-value);
        bytes.append(reinterpret_cast<const char*>(&negative), sizeof negative);
    }
}

}  // namespace

void write_logprobs(const std::string& path, const std::vector<double>& nll, DType dtype) {
    const bool wide = dtype == DType::fp64;
    auto bytes = npy_header(wide ? "<f8" : "<f4", nll.size());
    wide ? append_negatives<double>(bytes, nll) : append_negatives<float>(bytes, nll);
    write_file_atomic(path, bytes);
}

}  // namespace longbow
