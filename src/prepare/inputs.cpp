#include "inputs.h"

#include <fmt/core.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/signals.h"
#include "longbow/core/strings.h"
#include "longbow/telemetry/log.h"
#include "longbow/text/reader.h"

namespace longbow {

namespace {

std::vector<std::string> files_in(const fs::path& folder) {
    std::vector<std::string> files;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
        if (!starts_with(entry.path().filename().string(), ".") && entry.is_regular_file(error))
            files.push_back(entry.path().string());
    }
    if (error) throw DataError(folder.string() + ": " + error.message());
    if (files.empty())
        throw DataError(folder.string() + ": a folder without files (its sub-folders are not searched: name them)");
    return files;
}

std::vector<std::string> files_like(const std::string& pattern) {
    glob_t found{};
    std::vector<std::string> files;
    if (::glob(pattern.c_str(), GLOB_NOSORT, nullptr, &found) == 0)
        files.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
    ::globfree(&found);
    return files;
}

std::vector<std::string> expand(const std::string& split, const std::vector<std::string>& names) {
    std::vector<std::string> all;
    for (const auto& name : names) {
        std::error_code error;
        const auto status = fs::status(name, error);
        std::vector<std::string> files;
        if (fs::is_directory(status)) {
            files = files_in(name);
        } else if (!fs::exists(status) && name.find_first_of("*?[") != std::string::npos) {
            files = files_like(name);
        }
        if (files.empty()) {
            all.push_back(name);
            continue;
        }
        std::sort(files.begin(), files.end());
        log::info(fmt::format("{}: {} matches {} files", split, name, files.size()));
        all.insert(all.end(), files.begin(), files.end());
    }
    return without_duplicates(split, all);
}

}  // namespace

std::vector<std::string> without_duplicates(const std::string& what, const std::vector<std::string>& files) {
    std::vector<std::string> once;
    std::map<std::pair<dev_t, ino_t>, std::string> seen;
    std::string first;
    std::int64_t again = 0;
    for (const auto& file : files) {
        struct stat info {};
        const bool exists = ::stat(file.c_str(), &info) == 0;  // a missing file is refused when it is opened
        const auto [before, inserted] =
            exists ? seen.try_emplace({info.st_dev, info.st_ino}, file) : std::pair(seen.end(), true);
        if (inserted) {
            once.push_back(file);
        } else if (again++ == 0) {
            first = file + (before->second == file ? "" : " (the same file as " + before->second + ")");
        }
    }
    if (again == 1) log::warn(what + ": " + first + " is named twice and read once");
    if (again > 1)
        log::warn(
            fmt::format("{}: {} files are named twice and read once (first {})", what, with_commas(again), first));
    return once;
}

SplitFiles requested_splits(const DataConfig& data) {
    SplitFiles splits;
    if (!data.train.empty()) splits.emplace_back("train", &data.train);
    if (!data.valid.empty()) splits.emplace_back("valid", &data.valid);
    if (!data.test.empty()) splits.emplace_back("test", &data.test);
    return splits;
}

DataConfig expand_inputs(const DataConfig& data) {
    DataConfig expanded = data;
    expanded.train = expand("train", data.train);
    expanded.valid = expand("valid", data.valid);
    expanded.test = expand("test", data.test);
    return expanded;
}

void check_inputs(const SplitFiles& splits) {
    std::vector<std::string> problems;
    for (const auto& [split, files] : splits) {
        for (const auto& file : *files) {
            std::error_code error;
            const auto status = fs::status(file, error);
            if (!fs::exists(status)) {
                const bool pattern = file.find_first_of("*?[") != std::string::npos;
                problems.push_back(file + " (" + split + "): no such file" +
                                   (pattern ? ", and none that fits the pattern" : ""));
            } else if (!fs::is_regular_file(status)) {
                problems.push_back(file + " (" + split + "): not a regular file");
            } else if (::access(file.c_str(), R_OK) != 0) {
                problems.push_back(file + " (" + split + "): permission denied");
            }
        }
    }
    if (problems.size() == 1) throw DataError(problems.front());
    if (!problems.empty())
        throw DataError(fmt::format("{} text files cannot be read: ", problems.size()) + join(problems, "; "));
}

std::uint64_t bytes_on_disk(const std::vector<std::string>& files) {
    std::uint64_t bytes = 0;
    for (const auto& file : files) bytes += fs::file_size(file);
    return bytes;
}

InputStamp stamp_of(const std::string& file) {
    struct stat info {};
    if (::stat(file.c_str(), &info) != 0) throw DataError(file + ": " + std::strerror(errno));
    return {file, static_cast<std::uint64_t>(info.st_size),
            std::int64_t{info.st_mtim.tv_sec} * 1000000000 + info.st_mtim.tv_nsec};
}

std::string text_fingerprint(const std::string& file) {
    TextReader reader(file);
    std::string text;
    while (reader.read(text, 1 << 20)) {
        text.clear();
        throw_if_stop_requested("nothing was written");
    }
    return reader.fingerprint();
}

}  // namespace longbow
