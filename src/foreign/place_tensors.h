// Finds the tensors that rules name among those of files, and says what does not fit.
#pragma once

#include <string>

#include "longbow/foreign/foreign_model.h"
#include "tensor_rules.h"

namespace longbow {

class TensorPlacer {
public:
    // `tensors` are those of the model's files.
    TensorPlacer(TensorStore store, ForeignModel& model) : store_(std::move(store)), model_(model) {}

    [[nodiscard]] bool has(const std::string& name) const { return store_.tensors.contains(name); }
    // Removes what is no weight, and remembers its name.
    void drop(bool (*unwanted)(const std::string& name));
    // Appends the tensor of each rule to the model's.
    void place(const TensorRules& rules);
    // Removes `name`, which must have the same elements as `kept`.
    void take_repeated(const std::string& name, const std::string& kept);
    // Throws CheckpointError if a tensor is left.
    void finish() const;

private:
    TensorStore store_;
    ForeignModel& model_;
    std::map<std::string, ForeignTensor> taken_;
};

}  // namespace longbow
