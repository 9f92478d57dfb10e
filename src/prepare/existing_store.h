// Examines what lies at the path where a store is to be written, and whether it is the store that is requested.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "inputs.h"
#include "longbow/data/manifest.h"
#include "longbow/prepare/prepare.h"

namespace longbow {

// Returns what manifest.json says about a vocabulary that prepare trains; null for one from files.
Json training_settings(const TokenizerConfig& config);

enum class Existing { nothing, store, other };
// `other` is anything but a token store, and is never replaced. `nothing` includes an empty folder, and one that holds
// a part of a store's files without a manifest while a finished store's work folder is beside it: moving the files
// there was interrupted.
Existing existing_at(const std::filesystem::path& out);

// Throws Error that names what lies in the folder besides a store's files, because replacing the folder would lose it.
void check_nothing_foreign(const std::filesystem::path& folder);

// Returns how the store differs from the request ("data.documents: file -> line"); empty when it does not. It reads the
// text again unless settings or file sizes differ already, or read_text is false. The request's folders and patterns
// must be expanded (inputs.h).
std::vector<std::string> store_differences(const std::filesystem::path& store, const PrepareRequest& request,
                                           bool read_text = true);

}  // namespace longbow
