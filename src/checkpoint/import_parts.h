// What all imports share.
#pragma once

#include <c10/core/ScalarType.h>

#include <filesystem>
#include <string>

#include "longbow/config/config.h"
#include "longbow/core/dtype.h"
#include "longbow/foreign/pickle_tree.h"

namespace longbow {

// The type of a foreign tensor's elements, which are floating-point numbers.
at::ScalarType scalar_type(PickleDtype dtype);
// The type of weights on disk that a setting names.
at::ScalarType weights_type(DType dtype);

// Throws UsageError when something is at the place of a run directory that an import is to make.
void check_import_place(const std::filesystem::path& out);

// What an import's FolderLock on its temporary folder says to another one.
inline constexpr const char* kImportedNow = "another import is writing it";
// Removes what killed imports to `out` left beside it: temporary folders (DirectoryTransaction) that no process locks.
void remove_import_leftovers(const std::filesystem::path& out);

// Completes the configuration with all options of the position method, and checks it like any other, so that it can be
// read back. Throws CheckpointError that begins with `name`.
Config complete_config(const Config& config, const std::string& name);

}  // namespace longbow
