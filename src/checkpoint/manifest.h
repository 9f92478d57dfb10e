// manifest.json: what a checkpoint is and the size and hash of each of its files. Written last, so that its presence says whole.
#pragma once

#include <filesystem>
#include <string>

#include "longbow/checkpoint/checkpoint.h"
#include "longbow/core/json.h"

namespace longbow {

inline constexpr int kCheckpointFormat = 1;
inline constexpr const char* kModelFile = "model.safetensors";

// "optimizer-00000-of-00001.safetensors"
std::string optimizer_file(const CheckpointRanks& ranks);
// {"size", "hash"} of a file.
Json file_entry(const std::filesystem::path& file);
// `about` with "files" added: every file in the folder, those of `known` with what is said of them there.
Json build_manifest(Json about, const std::filesystem::path& folder, const Json& known = Json::object());

}  // namespace longbow
