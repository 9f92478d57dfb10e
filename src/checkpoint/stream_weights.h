// Writes a model's weights that are still in another program's files, tensor by tensor.
#pragma once

#include <c10/core/ScalarType.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "longbow/foreign/placed_tensor.h"

namespace longbow {

struct StreamedWeight {
    const PlacedTensor* tensor = nullptr;
    at::ScalarType type = at::kFloat;  // on disk
};

// Writes a safetensors file with the weights in the given order and syncs it. Of one tensor at a time a copy is held,
// and only where its elements are not together in the source. Throws CheckpointError that names file and tensor when
// they cannot be read, or are not finite (also for one that the type cannot hold); Error when the file cannot be
// written, or a signal asks to stop.
void stream_weights(const std::filesystem::path& path, const std::vector<StreamedWeight>& weights,
                    const std::map<std::string, std::string>& metadata);

}  // namespace longbow
