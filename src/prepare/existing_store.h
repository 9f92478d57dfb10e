// What is at the place where a store is to be written, and whether it is the one that was asked for.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "inputs.h"
#include "longbow/data/manifest.h"
#include "longbow/prepare/prepare.h"

namespace longbow {

// What manifest.json says of a vocabulary trained here; null for one from files.
Json training_settings(const TokenizerConfig& config);

enum class Existing { nothing, store, other };
// other: something that is no token store, which is never replaced. An empty folder is nothing, and so is one with some of a store's files and
// no manifest while the work folder beside it is there: the move into it was cut short.
Existing existing_at(const std::filesystem::path& out);

// Throws Error that names what lies in the folder and is no file of a store: replacing the folder would lose it.
void check_nothing_foreign(const std::filesystem::path& folder);

// How the store differs from the request ("data.documents: file -> line"); empty when it is the same. Reads the text again unless
// settings or sizes tell already, or read_text is false. The request's folders and patterns are expanded (inputs.h).
std::vector<std::string> store_differences(const std::filesystem::path& store, const PrepareRequest& request, bool read_text = true);

}  // namespace longbow
