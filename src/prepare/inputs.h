// Resolves the text files that the user named, and tells whether a file has changed since it was read.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "longbow/config/config.h"

namespace longbow {

using SplitFiles = std::vector<std::pair<std::string, const std::vector<std::string>*>>;

// Returns the splits that have files, in the store's order: train, valid, test.
SplitFiles requested_splits(const DataConfig& data);

// Replaces every folder by the files in it (without hidden ones and sub-folders) and every pattern by the files that
// match it, each sorted by the bytes of their names, and lists each file once in a split (without_duplicates()). Throws
// DataError for a folder without files.
DataConfig expand_inputs(const DataConfig& data);

// Keeps only the first mention of each file, also when it is named by another path, by a link or in a folder. A
// warning, which begins with `what`, says what was left out.
std::vector<std::string> without_duplicates(const std::string& what, const std::vector<std::string>& files);

// Throws DataError that lists all files that cannot be read.
void check_inputs(const SplitFiles& splits);

std::uint64_t bytes_on_disk(const std::vector<std::string>& files);

// Identifies the state of a file: two states with equal stamps are taken to be the same.
struct InputStamp {
    std::string path;
    std::uint64_t bytes = 0;
    std::int64_t modified = 0;  // nanoseconds since 1970
    bool operator==(const InputStamp&) const = default;
};
InputStamp stamp_of(const std::string& file);

// Returns the fingerprint of the decompressed file, as in Source.
std::string text_fingerprint(const std::string& file);

}  // namespace longbow
