// What is at the place where a store is to be written, and whether it is the one that was asked for.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "longbow/data/prepare.h"
#include "manifest.h"

namespace longbow {

using SplitFiles = std::vector<std::pair<std::string, const std::vector<std::string>*>>;

// The splits that have files, in the store's order: train, valid, test.
SplitFiles requested_splits(const DataConfig& data);

// What manifest.json says of a vocabulary trained here; null for one from files.
Json training_settings(const TokenizerConfig& config);

enum class Existing { nothing, store, other };
// other: something that is no token store, which is never replaced. An empty folder is nothing.
Existing existing_at(const std::filesystem::path& out);

// How the store differs from the request ("data.documents: file -> line"); empty when it is the same. Reads the text again unless
// settings or sizes tell already.
std::vector<std::string> store_differences(const std::filesystem::path& store, const PrepareRequest& request);

// Removes what a killed process left beside `out` while writing it.
void remove_leftovers(const std::filesystem::path& out);

}  // namespace longbow
