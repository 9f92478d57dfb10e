// How parameters in memory map to tensors in files: a run of a parameter's rows under a name of its own.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

namespace longbow {

struct StoredPiece {
    std::string name;
    at::Tensor parameter;
    std::int64_t begin = 0;
    std::int64_t rows = 0;

    [[nodiscard]] at::Tensor of(const at::Tensor& like) const { return like.narrow(0, begin, rows); }
    static StoredPiece whole(std::string name, const at::Tensor& parameter) { return {std::move(name), parameter, 0, parameter.size(0)}; }
};

}  // namespace longbow
