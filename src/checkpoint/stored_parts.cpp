#include "stored_parts.h"

#include <algorithm>

#include "longbow/core/error.h"

namespace longbow {

std::vector<StoredPart> stored_parts(const LanguageModel& model, const ParameterPiece& piece) {
    const auto parameter = model.parameters().at(piece.parameter).detach();
    std::vector<StoredPart> parts;
    for (const auto& view : model.stored_views(piece.parameter, parameter)) {
        if (!view.value.is_contiguous()) throw Error("stored tensor " + view.name + " is no run of its parameter's elements");
        const auto first = view.value.storage_offset() - parameter.storage_offset();
        const auto begin = std::max(piece.begin, first), end = std::min(piece.end, first + view.value.numel());
        if (begin < end) parts.push_back({view.name, begin - first, end - first, begin - piece.begin, view.value.numel()});
    }
    return parts;
}

ParameterPiece whole_parameter(const LanguageModel& model, std::size_t index) { return {index, 0, model.parameters().at(index).numel()}; }

}  // namespace longbow
