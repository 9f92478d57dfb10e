#include "optimizer_file.h"

#include <algorithm>

#include "longbow/checkpoint/safetensors.h"
#include "longbow/core/error.h"
#include "longbow/core/json.h"
#include "longbow/core/json_text.h"
#include "manifest.h"

namespace longbow {

namespace {

constexpr const char* kRanges = "longbow.ranges";

}  // namespace

std::vector<TensorSlice> optimizer_slices(const LanguageModel& model, Optimizer& optimizer,
                                          const std::vector<at::Tensor>& owned) {
    const auto stored = model.stored_tensors();
    std::vector<TensorSlice> slices;
    for (const auto& slot : optimizer.slots()) {
        for (std::size_t i = 0; i < slot.tensors.size(); ++i) {
            // The places in memory where the parameter and its part begin and end show which elements of which stored
            // tensor the part holds.
            const auto& part = owned.at(i);
            const auto flat = slot.tensors[i].view({-1});
            const auto part_begin = part.storage_offset(), part_end = part_begin + part.numel();
            for (const auto& [name, tensor] : stored) {
                if (!tensor.is_alias_of(part)) continue;
                if (!tensor.is_contiguous())
                    throw Error("stored tensor " + name + " is not a contiguous part of its parameter");
                const auto first = tensor.storage_offset(), size = tensor.numel();
                const auto begin = std::max(part_begin, first), end = std::min(part_end, first + size);
                if (begin >= end) continue;
                slices.push_back({slot.name + "/" + name, begin - first, end - first, size,
                                  flat.slice(0, begin - part_begin, end - part_begin)});
            }
        }
    }
    return slices;
}

void write_optimizer_file(const std::filesystem::path& path, const std::vector<TensorSlice>& slices) {
    std::vector<NamedTensor> tensors;
    Json ranges = Json::object();
    for (const auto& slice : slices) {
        tensors.push_back({slice.name, slice.values});
        ranges[slice.name] = {slice.begin, slice.end};
    }
    write_safetensors(path, tensors, {{"longbow.format", std::to_string(kCheckpointFormat)}, {kRanges, ranges.dump()}});
}

void read_optimizer_file(const std::filesystem::path& path, std::map<std::string, std::vector<TensorSlice>>& found) {
    const auto file = read_safetensors(path);
    const auto text = file.metadata.find(kRanges);
    const Json ranges = parse_json(text == file.metadata.end() ? std::string_view() : text->second);
    for (const auto& [name, tensor] : file.tensors) {
        const auto range = ranges.is_object() ? ranges.find(name) : ranges.end();
        if (!ranges.is_object() || range == ranges.end() || !range->is_array() || range->size() != 2 ||
            !(*range)[0].is_number_integer() || !(*range)[1].is_number_integer() || tensor.dim() != 1 ||
            (*range)[1].get<std::int64_t>() - (*range)[0].get<std::int64_t>() != tensor.numel() ||
            (*range)[0].get<std::int64_t>() < 0) {
            throw CheckpointError(path.string() + " is damaged: no range that fits for " + name);
        }
        found[name].push_back({name, (*range)[0].get<std::int64_t>(), (*range)[1].get<std::int64_t>(), 0, tensor});
    }
}

void fill_slice(const TensorSlice& wanted, std::vector<TensorSlice>& parts, const std::string& where) {
    std::sort(parts.begin(), parts.end(), [](const auto& a, const auto& b) { return a.begin < b.begin; });
    std::int64_t next = 0;
    for (const auto& part : parts) {
        if (part.begin != next || part.end > wanted.size)
            throw CheckpointError(where + ": its parts do not make up the parameter's shape");
        const auto from = std::max(wanted.begin, part.begin), to = std::min(wanted.end, part.end);
        if (from < to)
            wanted.values.narrow(0, from - wanted.begin, to - from)
                .copy_(part.values.narrow(0, from - part.begin, to - from));
        next = part.end;
    }
    if (next != wanted.size) throw CheckpointError(where + ": its parts do not make up the parameter's shape");
}

}  // namespace longbow
