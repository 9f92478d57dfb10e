#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <set>

#include "longbow/checkpoint/checkpoint.h"
#include "longbow/checkpoint/safetensors.h"
#include "longbow/config/context.h"
#include "longbow/config/load.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/hash.h"
#include "longbow/core/strings.h"
#include "manifest.h"
#include "stored_parts.h"

namespace longbow {

namespace {

// A part [begin, end) of a slot's tensor, from one of the optimizer's files.
struct Slice {
    std::int64_t begin, end;
    at::Tensor values;
};
using Slices = std::map<std::string, std::vector<Slice>>;

void read_slices(const fs::path& path, Slices& slices) {
    const auto file = read_safetensors(path);
    const auto found = file.metadata.find("longbow.ranges");
    const Json ranges = Json::parse(found == file.metadata.end() ? "" : found->second, nullptr, /*allow_exceptions=*/false);
    for (const auto& [name, tensor] : file.tensors) {
        const auto range = ranges.is_object() ? ranges.find(name) : ranges.end();
        if (!ranges.is_object() || range == ranges.end() || !range->is_array() || range->size() != 2 || !(*range)[0].is_number_integer() ||
            !(*range)[1].is_number_integer() || tensor.dim() != 1 ||
            (*range)[1].get<std::int64_t>() - (*range)[0].get<std::int64_t>() != tensor.numel() || (*range)[0].get<std::int64_t>() < 0) {
            throw CheckpointError(path.string() + " is damaged: no range that fits for " + name);
        }
        slices[name].push_back({(*range)[0].get<std::int64_t>(), (*range)[1].get<std::int64_t>(), tensor});
    }
}

// Elements [begin, end) of a stored tensor of `size` elements. The parts must make up the whole, whatever is wanted of it.
void fill_from_slices(const at::Tensor& wanted, std::int64_t begin, std::int64_t size, std::vector<Slice>& parts,
                      const std::string& where) {
    std::sort(parts.begin(), parts.end(), [](const auto& a, const auto& b) { return a.begin < b.begin; });
    const auto end = begin + wanted.numel();
    std::int64_t next = 0;
    for (const auto& part : parts) {
        if (part.begin != next || part.end > size) throw CheckpointError(where + ": its parts do not make up the parameter's shape");
        const auto from = std::max(begin, part.begin), to = std::min(end, part.end);
        if (from < to) wanted.narrow(0, from - begin, to - from).copy_(part.values.narrow(0, from - part.begin, to - from));
        next = part.end;
    }
    if (next != size) throw CheckpointError(where + ": its parts do not make up the parameter's shape");
}

}  // namespace

Config read_checkpoint_config(const fs::path& checkpoint) {
    const auto path = checkpoint / kModelFile;
    const auto file = read_safetensors(path);
    const auto found = file.metadata.find("longbow.config");
    if (found == file.metadata.end()) {
        throw CheckpointError(path.string() + " carries no longbow.config: it was not written by longbow (see `longbow import`)");
    }
    const Json json = Json::parse(found->second, nullptr, /*allow_exceptions=*/false);
    if (json.is_discarded()) throw CheckpointError(path.string() + ": its longbow.config is no JSON");
    return config_from_json(json, path.string(), registered_config_context());
}

void load_weights(const fs::path& checkpoint, LanguageModel& model) {
    const at::NoGradGuard no_grad;
    const auto path = checkpoint / kModelFile;
    auto file = read_safetensors(path);
    for (const auto& stored : model.stored_tensors()) {
        const auto found = file.tensors.find(stored.name);
        if (found == file.tensors.end()) {
            throw CheckpointError(path.string() + " has no tensor " + stored.name + ": its model differs from the configured one");
        }
        if (found->second.sizes() != stored.value.sizes()) {
            throw CheckpointError(path.string() + ": " + stored.name + " has the shape " + shape_text(found->second.sizes()) +
                                  ", the model needs " + shape_text(stored.value.sizes()));
        }
        stored.value.copy_(found->second);
        file.tensors.erase(found);
    }
    if (!file.tensors.empty()) {
        throw CheckpointError(path.string() + " has the tensor " + file.tensors.begin()->first +
                              ", for which the configured model has no place");
    }
}

void load_optimizer(const fs::path& checkpoint, const LanguageModel& model, Optimizer& optimizer,
                    const std::vector<ParameterPiece>& pieces) {
    const at::NoGradGuard no_grad;
    Slices slices;
    bool any = false;
    for (const auto& entry : fs::directory_iterator(checkpoint)) {
        const std::string name = entry.path().filename().string();
        if (!starts_with(name, "optimizer-") || entry.path().extension() != ".safetensors") continue;
        read_slices(entry.path(), slices);
        any = true;
    }
    if (!any) throw CheckpointError(checkpoint.string() + " has no optimizer file: it can start a run (train.init_from), not continue one");
    for (auto& slot : optimizer.slots()) {
        for (std::size_t i = 0; i < slot.tensors.size(); ++i) {
            const auto flat = slot.tensors[i].view({-1});
            for (const auto& part : stored_parts(model, pieces.empty() ? whole_parameter(model, i) : pieces[i])) {
                const std::string name = slot.name + "/" + part.name;
                const auto found = slices.find(name);
                if (found == slices.end()) throw CheckpointError(checkpoint.string() + ": the optimizer's files lack " + name);
                fill_from_slices(flat.narrow(0, part.from, part.end - part.begin), part.begin, part.size, found->second,
                                 checkpoint.string() + ": " + name);
            }
        }
    }
    optimizer.set_steps(read_train_state(checkpoint).optimizer_steps);
}

LoadedCheckpoint load_checkpoint(const fs::path& checkpoint) {
    verify_checkpoint(checkpoint);
    LoadedCheckpoint loaded;
    loaded.path = checkpoint;
    loaded.manifest = read_manifest(checkpoint);
    loaded.config = read_checkpoint_config(checkpoint);
    loaded.state = read_train_state(checkpoint);
    loaded.tokenizer = load_tokenizer(checkpoint);
    const Json& vocab = loaded.manifest["vocab_size"];
    if (!vocab.is_number_integer() || vocab.get<std::int64_t>() < loaded.tokenizer->vocab_size()) {
        throw CheckpointError((checkpoint / "manifest.json").string() + ": vocab_size does not fit the tokenizer");
    }
    loaded.model = make_language_model(loaded.config, vocab.get<std::int64_t>());
    load_weights(checkpoint, *loaded.model);
    loaded.model->eval();
    loaded.fingerprint = loaded.manifest["files"][kModelFile]["hash"].get<std::string>();
    return loaded;
}

}  // namespace longbow
