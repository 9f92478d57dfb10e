// Maps flat pieces of a parameter to the tensors under whose names they are stored. One parameter may be stored as
// several tensors (q, k and v of one packed matrix).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "longbow/dist/data_parallel.h"
#include "longbow/model/language_model.h"

namespace longbow {

// The elements [begin, end) of the stored tensor `name`, which has `size` elements. In the piece they begin at element
// `from`.
struct StoredPart {
    std::string name;
    std::int64_t begin = 0, end = 0, from = 0, size = 0;
};

std::vector<StoredPart> stored_parts(const LanguageModel& model, const ParameterPiece& piece);
ParameterPiece whole_parameter(const LanguageModel& model, std::size_t index);

}  // namespace longbow
