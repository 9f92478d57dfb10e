// Gradients of a model's parameters under the names of the stored tensors.
#pragma once

#include <torch/types.h>

#include <map>
#include <string>

#include "longbow/model/language_model.h"

namespace longbow::test {

// Of those whose parameter has a gradient.
inline std::map<std::string, at::Tensor> stored_gradients(const LanguageModel& model) {
    std::map<std::string, at::Tensor> gradients;
    for (const auto& parameter : model.parameters()) {
        if (!parameter.grad().defined()) continue;
        const auto gradient = parameter.grad().contiguous();
        for (const auto& [name, tensor] : model.stored_tensors()) {
            if (!tensor.is_alias_of(parameter)) continue;
            const auto offset = tensor.storage_offset() - parameter.storage_offset();
            gradients[name] = gradient.as_strided(tensor.sizes(), tensor.strides(), gradient.storage_offset() + offset);
        }
    }
    return gradients;
}

}  // namespace longbow::test
