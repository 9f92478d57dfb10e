// The names under which parts of a parameter are stored (q, k and v of one packed matrix), for flat pieces of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "longbow/dist/data_parallel.h"
#include "longbow/model/language_model.h"

namespace longbow {

// Elements [begin, end) of the stored tensor `name` of `size` elements, which are those from `from` on of the piece.
struct StoredPart {
    std::string name;
    std::int64_t begin = 0, end = 0, from = 0, size = 0;
};

std::vector<StoredPart> stored_parts(const LanguageModel& model, const ParameterPiece& piece);
ParameterPiece whole_parameter(const LanguageModel& model, std::size_t index);

}  // namespace longbow
