#include "longbow/eval/logprobs.h"

#include <fmt/core.h>

#include <algorithm>
#include <string_view>

#include "longbow/core/files.h"
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

void write_logprobs(const std::string& path, const std::vector<float>& nll) {
    std::string header = fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({},), }}", nll.size());
    // Magic, version and length take 10 bytes; data start at a multiple of 64.
    header.resize((10 + header.size() + 1 + 63) / 64 * 64 - 11, ' ');
    header += '\n';
    std::string bytes = std::string("\x93NUMPY\x01\x00", 8);
    bytes += static_cast<char>(header.size() & 0xff);
    bytes += static_cast<char>(header.size() >> 8);
    bytes += header;
    std::vector<float> logprobs(nll.size());
    for (std::size_t i = 0; i < nll.size(); ++i) logprobs[i] = -nll[i];
    bytes.append(reinterpret_cast<const char*>(logprobs.data()), logprobs.size() * sizeof(float));
    write_file_atomic(path, bytes);
}

}  // namespace longbow
