// The "model" entry of a checkpoint, a dict of tensors by name, from which each is taken once.
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
    // Names that are left, sorted.
    [[nodiscard]] std::vector<std::string> names() const;
    // Takes the tensor out. Throws CheckpointError when it is missing, has another shape than `sizes`, or no floating-point elements.
    PickleTensor take(const std::string& name, const std::vector<std::int64_t>& sizes);
    // Its shape, empty when it is missing; it stays.
    [[nodiscard]] std::vector<std::int64_t> sizes(const std::string& name) const;
    // The one element of a tensor such as a version; nullopt when it is missing or of another shape. It stays.
    [[nodiscard]] std::optional<double> scalar(const std::string& name) const;
    void drop(const std::function<bool(const std::string& name)>& unwanted);
    // Takes `name` out, which is the same tensor as `kept` under another name. Throws CheckpointError when their elements differ.
    void take_twin(const std::string& name, const PickleTensor& kept, const std::string& kept_name);

    [[noreturn]] void fail(const std::string& reason) const;

private:
    const TorchFile& file_;
    std::map<std::string, PickleTensor> tensors_;
};

// Rows [begin, end) of a matrix or vector; a matrix with its two dimensions exchanged. Views: nothing is copied.
PickleTensor rows_of(const PickleTensor& tensor, std::int64_t begin, std::int64_t end);
PickleTensor transposed(const PickleTensor& matrix);

}  // namespace longbow
