// Writes weights of a checkpoint as the tensors of another program, one at a time.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "longbow/foreign/hf_export.h"

namespace longbow {

class ExportedWeights {
public:
    // `weights` are the checkpoint's, by our names; `name` is its file's, for messages.
    ExportedWeights(std::map<std::string, at::Tensor> weights, std::string name)
        : weights_(std::move(weights)), name_(std::move(name)) {}

    std::map<std::string, ValueChange> changes;
    std::map<std::string, double> constants;  // of our tensors that the checkpoint does not have
    std::optional<at::ScalarType> type;       // of all elements; without it the checkpoint's

    // Writes a safetensors file, as other programs read it (without fillers, with the metadata {"format": "pt"}), and
    // syncs it. Throws CheckpointError where a tensor of the checkpoint has no place in these tensors, or a place no
    // tensor, where sizes do not fit, and for values that the type cannot hold.
    void write(const std::filesystem::path& path, std::vector<ExportedTensor> tensors) const;
    // Throws as write() does for what does not fit together.
    void check(const std::vector<ExportedTensor>& tensors) const;
    // Returns a tensor's values, in the type that type_of() gives.
    [[nodiscard]] at::Tensor filled(const ExportedTensor& tensor) const;
    // Returns the type that a tensor is written in.
    [[nodiscard]] at::ScalarType type_of(const ExportedTensor& tensor) const;
    [[nodiscard]] const std::map<std::string, at::Tensor>& weights() const { return weights_; }

private:
    [[nodiscard]] at::Tensor changed(const ExportedPart& part, at::ScalarType to) const;

    std::map<std::string, at::Tensor> weights_;
    std::string name_;
};

}  // namespace longbow
