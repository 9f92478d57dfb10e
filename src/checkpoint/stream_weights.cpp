#include "stream_weights.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/isfinite.h>

#include <algorithm>
#include <cstring>

#include "import_parts.h"
#include "longbow/checkpoint/safetensors.h"
#include "longbow/core/error.h"
#include "longbow/core/failpoint.h"
#include "longbow/core/files.h"
#include "longbow/core/safetensors_header.h"
#include "longbow/core/signals.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

constexpr std::int64_t kPiece = std::int64_t{1} << 20;  // elements that are converted together

bool all_finite(const at::Tensor& values) { return at::isfinite(values).all().item<bool>(); }

void write_values(OutputFile& file, const StreamedWeight& weight) {
    const auto& placed = *weight.tensor;
    const auto values = placed.read();
    const auto source_type = scalar_type(placed.tensor.dtype);
    const auto element = c10::elementSize(source_type);
    const auto count = static_cast<std::int64_t>(values.bytes.size() / element);
    for (std::int64_t begin = 0; begin < count; begin += kPiece) {
        throw_if_stop_requested("nothing was imported");
        const auto size = std::min(kPiece, count - begin);
        const std::byte* data = values.bytes.data() + static_cast<std::size_t>(begin) * element;
        // A copy, since a tensor of another program's file may begin at any byte.
        auto piece = at::empty({size}, source_type);
        std::memcpy(piece.data_ptr(), data, static_cast<std::size_t>(size) * element);
        const auto converted = piece.to(weight.type);
        if (!all_finite(converted)) {
            const std::string where = placed.tensor.file + ": tensor " + placed.source;
            if (all_finite(piece)) {
                throw CheckpointError(where + " has values that are too large for " +
                                      std::string(c10::toString(weight.type)) +
                                      ": leave --dtype out or take bf16 or fp32");
            }
            throw CheckpointError(where +
                                  " contains values that are not finite: it is damaged, or its training diverged");
        }
        file.write(converted.data_ptr(), static_cast<std::size_t>(size) * c10::elementSize(weight.type));
    }
}

}  // namespace

void stream_weights(const fs::path& path, const std::vector<StreamedWeight>& weights,
                    const std::map<std::string, std::string>& metadata) {
    SafetensorsHeader header;
    header.metadata = metadata;
    for (const auto& weight : weights) {
        header.tensors.push_back(
            {weight.tensor->name, safetensors_dtype_name(weight.type), weight.tensor->shape, 0, 0});
    }
    const std::string head = build_safetensors_header(header);
    OutputFile file(path);
    file.write(head);
    static constexpr char kZeros[64] = {};
    for (std::size_t i = 0; i < weights.size(); ++i) {
        const auto& entry = header.tensors[i];
        file.write(kZeros, static_cast<std::size_t>(header.data_begin + entry.begin - file.position()));
        failpoint("import.in_weights");
        write_values(file, weights[i]);
        if (file.position() != header.data_begin + entry.end)
            throw CheckpointError(weights[i].tensor->tensor.file + ": tensor " + weights[i].tensor->source +
                                  " has fewer elements than its shape says");
    }
    file.close();
}

}  // namespace longbow
