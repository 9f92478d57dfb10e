// source.json of an imported checkpoint: which tensor of which form each of its tensors was, so that an export gives
// back what came.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "longbow/core/json.h"
#include "longbow/foreign/foreign_model.h"
#include "longbow/foreign/hf_export.h"

namespace longbow {

inline constexpr const char* kSourceFile = "source.json";

// {"format": "safetensors", "type": "bloom", "prefix": "transformer.", "rounded": false,
//  "tensors": {THEIRS: {"type": "F32", "shape": [..], "parts": [{"name": OURS, "offset": 0, "sizes": [..], "strides":
//  [..]}, ..]}, ..}, "repeated": {THEIRS: THEIRS, ..}, "buffers": [..]}. A part's view (PlacedTensor) is of the
// tensor's elements in row-major order.
Json describe_source(const ForeignModel& model, bool rounded);

// What source.json says of the file that the weights came from.
struct ImportedSource {
    std::string format, type;
    // Its tensors, those last that it had twice.
    std::vector<ExportedTensor> tensors;
    std::map<std::string, std::string> types;  // of its tensors, as its container called them
};
// Throws CheckpointError that names the file if it is damaged.
ImportedSource read_source(const std::filesystem::path& checkpoint);

// Files of the imported folder that a checkpoint keeps as source.NAME for an export.
inline constexpr const char* kSourcePrefix = "source.";
// The metadata of an imported GGUF file, as one without tensors.
inline constexpr const char* kSourceMetadata = "source.metadata.gguf";

}  // namespace longbow
