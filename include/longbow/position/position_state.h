// Keeps what a position method needs of earlier tokens while a key-value cache grows.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>

namespace longbow {

// A tensor that grows along one dimension. Its buffer doubles when it is full, so that adding a token copies that token
// and not the window.
class GrowingTensor {
public:
    // Puts `fresh` behind the first `length` entries along `dim` and returns all length + n entries, a view.
    // It is for generation: throws Error while gradients are enabled, and if the first `length` entries were not put.
    at::Tensor put(const at::Tensor& fresh, std::int64_t length, std::int64_t dim);
    // Returns the memory, which may have room for more entries than were put. Undefined: nothing was.
    [[nodiscard]] const at::Tensor& buffer() const { return buffer_; }

private:
    at::Tensor buffer_;
};

// Of one layer of one generation. A method that needs the earlier tokens' numbers appends the new ones' in each call.
class PositionState {
public:
    // Puts `fresh`, of the tokens call.keys - length .. call.keys - 1, behind what is kept under this name and returns
    // all of it.
    at::Tensor append(const std::string& name, const at::Tensor& fresh, std::int64_t keys, std::int64_t dim) {
        return tensors_[name].put(fresh, keys - fresh.size(dim), dim);
    }

private:
    std::map<std::string, GrowingTensor> tensors_;
};

}  // namespace longbow
