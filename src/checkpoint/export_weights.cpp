#include "export_weights.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/zeros.h>
#include <c10/core/ScalarType.h>

#include <algorithm>
#include <set>

#include "longbow/checkpoint/safetensors.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/safetensors_header.h"

namespace longbow {

namespace {

// Rows of each head: pairs of neighbours in the first `turned` ones become pairs of halves, or the other way round.
at::Tensor in_other_pairs(const at::Tensor& rows, const ValueChange& change) {
    auto shape = rows.sizes().vec();
    const auto size = shape[0] / change.heads;
    const auto heads = rows.reshape({change.heads, size, -1});
    const auto first = change.to_neighbours ? std::int64_t{2} : change.turned / 2;
    const auto turned = heads.narrow(1, 0, change.turned)
                            .reshape({change.heads, first, change.turned / first, -1})
                            .transpose(1, 2)
                            .reshape({change.heads, change.turned, -1});
    return at::cat({turned, heads.narrow(1, change.turned, size - change.turned)}, 1).reshape(shape);
}

bool fits(const ExportedTensor& tensor, const ExportedPart& part) {
    if (part.sizes.size() != part.strides.size() || part.offset < 0) return false;
    std::int64_t last = part.offset, elements = 1;
    for (const auto size : tensor.shape) elements *= size;
    for (std::size_t i = 0; i < part.sizes.size(); ++i) {
        if (part.sizes[i] < 1 || part.strides[i] < 0) return false;
        last += (part.sizes[i] - 1) * part.strides[i];
    }
    return last < elements;
}

std::int64_t count_of(const ExportedPart& part) {
    std::int64_t count = 1;
    for (const auto size : part.sizes) count *= size;
    return count;
}

}  // namespace

void ExportedWeights::check(const std::vector<ExportedTensor>& tensors) const {
    std::set<std::string> placed;
    for (const auto& tensor : tensors) {
        for (const auto& part : tensor.parts) {
            const auto found = weights_.find(part.ours);
            if (found == weights_.end() && !constants.contains(part.ours))
                throw CheckpointError(name_ + " has no tensor " + part.ours + ", which " + tensor.name +
                                      " consists of");
            if (!fits(tensor, part) || (found != weights_.end() && found->second.numel() != count_of(part)))
                throw CheckpointError(name_ + ": " + part.ours + " does not fit into " + tensor.name);
            placed.insert(part.ours);
        }
    }
    for (const auto& [ours, _] : weights_) {
        if (!placed.contains(ours)) throw CheckpointError(name_ + ": " + ours + " has no place in the exported model");
    }
}

at::ScalarType ExportedWeights::type_of(const ExportedTensor& tensor) const {
    if (type) return *type;
    std::optional<at::ScalarType> common;
    for (const auto& part : tensor.parts) {
        const auto found = weights_.find(part.ours);
        if (found == weights_.end()) continue;
        const auto own = found->second.scalar_type();
        common = common ? c10::promoteTypes(*common, own) : own;
    }
    // A tensor of constants is as the first one, the embedding.
    if (!common) common = weights_.empty() ? at::kFloat : weights_.begin()->second.scalar_type();
    return *common;
}

at::Tensor ExportedWeights::changed(const ExportedPart& part, at::ScalarType to) const {
    const auto& ours = part.ours;
    auto values = weights_.at(ours);
    const auto found = changes.find(ours);
    if (found != changes.end() && !part.unchanged) {
        const auto& change = found->second;
        if (change.heads > 0) values = in_other_pairs(values, change);
        if (change.factor != 1.0 || change.summand != 0.0)
            values = values.to(at::kDouble).mul(change.factor).add(change.summand);
    }
    const auto converted = values.to(to);
    if (values.scalar_type() != to && !at::isfinite(converted).all().item<bool>()) {
        throw CheckpointError(name_ + ": " + ours + " has values that are too large for " +
                              std::string(c10::toString(to)) +
                              " or not finite: leave --dtype out or take bf16 or fp32");
    }
    return converted;
}

at::Tensor ExportedWeights::filled(const ExportedTensor& tensor) const {
    const auto to = type_of(tensor);
    auto values = at::zeros(tensor.shape, to);
    for (const auto& part : tensor.parts) {
        auto view = values.as_strided(part.sizes, part.strides, part.offset);
        if (weights_.contains(part.ours)) {
            view.copy_(changed(part, to).reshape(part.sizes));
        } else {
            view.fill_(constants.at(part.ours));
        }
    }
    return values;
}

void ExportedWeights::write(const std::filesystem::path& path, std::vector<ExportedTensor> tensors) const {
    check(tensors);
    // Each then begins at a multiple of its elements' size.
    std::stable_sort(tensors.begin(), tensors.end(), [&](const ExportedTensor& a, const ExportedTensor& b) {
        return c10::elementSize(type_of(a)) > c10::elementSize(type_of(b));
    });
    SafetensorsHeader header;
    header.metadata = {{"format", "pt"}};
    for (const auto& tensor : tensors)
        header.tensors.push_back({tensor.name, safetensors_dtype_name(type_of(tensor)), tensor.shape, 0, 0});
    const std::string head = build_safetensors_header(header, /*fillers=*/false);
    OutputFile file(path);
    file.write(head);
    for (const auto& tensor : tensors) {
        const auto values = filled(tensor);
        file.write(values.const_data_ptr(), values.nbytes());
    }
    file.close();
}

}  // namespace longbow
