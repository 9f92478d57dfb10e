// The text that a store is made from: what the user named as files, and whether a file is still the one that it was.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "longbow/config/config.h"

namespace longbow {

using SplitFiles = std::vector<std::pair<std::string, const std::vector<std::string>*>>;

// The splits that have files, in the store's order: train, valid, test.
SplitFiles requested_splits(const DataConfig& data);

// The same with every folder replaced by the files in it (hidden ones and sub-folders left out) and every pattern by the files that fit it,
// each ordered by the bytes of their names, and each file once a split (each_once). Throws DataError for a folder without files.
DataConfig expand_inputs(const DataConfig& data);

// Each file once, where it is first named: by another path, a link or in a folder too. A warning says which come again; `what` stands in front.
std::vector<std::string> each_once(const std::string& what, const std::vector<std::string>& files);

// Throws DataError that lists all files that cannot be read.
void check_inputs(const SplitFiles& splits);

std::uint64_t bytes_on_disk(const std::vector<std::string>& files);

// A file as it stands: another one with the same stamp is taken to be the same.
struct InputStamp {
    std::string path;
    std::uint64_t bytes = 0;
    std::int64_t modified = 0;  // nanoseconds since 1970
    bool operator==(const InputStamp&) const = default;
};
InputStamp stamp_of(const std::string& file);

// Fingerprint of the decompressed file, as Source has it.
std::string text_fingerprint(const std::string& file);

}  // namespace longbow
