// manifest.json says what a checkpoint is, and the size and hash of each of its files. It is written last, so its
// presence shows that the checkpoint is whole.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "longbow/checkpoint/checkpoint.h"
#include "longbow/core/json.h"

namespace longbow {

inline constexpr int kCheckpointFormat = 1;
inline constexpr const char* kModelFile = "model.safetensors";

// Returns "optimizer-00000-of-00001.safetensors", or with a sharded optimizer the name of the rank's own file.
std::string optimizer_file(const CheckpointRanks& ranks);
// Returns the size and hash of a file, as {"size", "hash"}.
Json file_entry(const std::filesystem::path& file);
// Return what model.safetensors carries as metadata, and what the manifest says of a checkpoint besides its files.
std::map<std::string, std::string> weights_metadata(const Config& config, std::int64_t vocab_size);
Json describe_checkpoint(const LanguageModel& model, const TrainState& state, const Config& config,
                         const Tokenizer& tokenizer, const std::string& data_fingerprint);
// Returns `about` with "files" added: every file in the folder, where the entries in `known` replace reading those
// files. Throws Error if a file of `known` is missing.
Json build_manifest(Json about, const std::filesystem::path& folder, const Json& known = Json::object());

}  // namespace longbow
