// The "model" entry of a checkpoint: a dict of tensors by name. The importer takes each out once, so that what is left
// at the end is a tensor it does not know.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "longbow/foreign/torch_file.h"

namespace longbow {

class StateDict {
public:
    // Throws CheckpointError when "model" is no dict of tensors.
    explicit StateDict(const TorchFile& file);

    [[nodiscard]] bool has(const std::string& name) const { return tensors_.contains(name); }
    // Returns the names that are left, sorted.
    [[nodiscard]] std::vector<std::string> names() const;
    // Removes and returns the tensor. Throws CheckpointError when it is missing, has another shape than `sizes`, or its
    // elements are not floating-point.
    PickleTensor take(const std::string& name, const std::vector<std::int64_t>& sizes);
    // Returns the tensor's shape without removing it; empty when it is missing.
    [[nodiscard]] std::vector<std::int64_t> sizes(const std::string& name) const;
    // Returns the element of a one-element tensor, such as a version, without removing it; nullopt when it is missing
    // or of another shape.
    [[nodiscard]] std::optional<double> scalar(const std::string& name) const;
    void drop(const std::function<bool(const std::string& name)>& unwanted);
    // Removes `name`, which is the tensor `kept` under another name. Throws CheckpointError when their elements differ.
    void take_tied(const std::string& name, const PickleTensor& kept, const std::string& kept_name);

    [[noreturn]] void fail(const std::string& reason) const;

private:
    const TorchFile& file_;
    std::map<std::string, PickleTensor> tensors_;
};

// rows_of() returns rows [begin, end) of a matrix or vector, transposed() a matrix with its two dimensions exchanged.
// Both are views and copy nothing.
PickleTensor rows_of(const PickleTensor& tensor, std::int64_t begin, std::int64_t end);
PickleTensor transposed(const PickleTensor& matrix);

}  // namespace longbow
