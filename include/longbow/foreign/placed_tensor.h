// Where the elements of one of Longbow's tensors are in another program's file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "longbow/foreign/tensor_store.h"

namespace longbow {

struct PlacedTensor {
    std::string name;                 // Longbow's, as in LanguageModel::stored_tensors()
    std::string source;               // the file's
    std::vector<std::int64_t> shape;  // Longbow's
    ForeignTensor tensor;
    // Element (i, j, ..) of a view of the source, whose elements in row-major order are Longbow's tensor, is at
    // offset + i strides[0] + j strides[1] + .. of the source's own elements in row-major order. The view may have more
    // dimensions than either tensor.
    std::int64_t offset = 0;
    std::vector<std::int64_t> sizes, strides;

    // Returns whether the view is one stretch of the source.
    [[nodiscard]] bool contiguous() const;
    // Returns Longbow's elements in row-major order, in the type tensor.dtype. They are copied only where the view is
    // not contiguous. Throws CheckpointError.
    [[nodiscard]] StoredBytes read() const;
};

}  // namespace longbow
