// manifest.json: what a checkpoint is and the size and hash of each of its files. Written last, so that its presence says whole.
#pragma once

#include <filesystem>
#include <string>

#include "longbow/core/json.h"

namespace longbow {

inline constexpr int kCheckpointFormat = 1;
inline constexpr const char* kModelFile = "model.safetensors";
inline constexpr const char* kOptimizerFile = "optimizer-00000-of-00001.safetensors";

// `about` with "files" added: every file in the folder.
Json build_manifest(Json about, const std::filesystem::path& folder);

}  // namespace longbow
