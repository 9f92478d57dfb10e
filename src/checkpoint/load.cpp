// Loads checkpoints: configuration, weights, and the optimizer's state.
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <functional>
#include <map>

#include "longbow/checkpoint/checkpoint.h"
#include "longbow/checkpoint/safetensors.h"
#include "longbow/config/context.h"
#include "longbow/config/load.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/hash.h"
#include "longbow/core/json_text.h"
#include "longbow/core/strings.h"
#include "manifest.h"
#include "optimizer_file.h"

namespace longbow {

Config read_checkpoint_config(const fs::path& checkpoint) {
    const auto path = checkpoint / kModelFile;
    const auto file = read_safetensors(path);
    const auto found = file.metadata.find("longbow.config");
    if (found == file.metadata.end()) {
        throw CheckpointError(path.string() +
                              " carries no longbow.config: it was not written by longbow (see `longbow import`)");
    }
    const Json json = parse_json(found->second);
    if (json.is_discarded()) throw CheckpointError(path.string() + ": its longbow.config is not JSON");
    return config_from_json(json, path.string(), registered_config_context());
}

namespace {

constexpr const char* kPositionPrefix = "position.";

bool of_position(const std::string& name) { return starts_with(name, kPositionPrefix); }

// Calls `take` with each of the model's tensors and the checkpoint's tensor for it. Throws CheckpointError if the two
// do not have the same tensors, apart from what `positions` allows and from modifiers' parameters, which a checkpoint
// may lack.
void match_weights(const fs::path& checkpoint, const LanguageModel& model, PositionWeights positions,
                   const std::function<void(const NamedTensor&, const at::Tensor&)>& take) {
    const auto path = checkpoint / kModelFile;
    auto file = read_safetensors(path);
    if (positions == PositionWeights::may_differ) {
        for (const auto& name : position_change(checkpoint, model).dropped) file.tensors.erase(name);
    }
    const auto modifiers = modifier_parameters(model.position());
    const auto may_lack = [&](const std::string& name) {
        if (!of_position(name)) return false;
        const auto own = name.substr(std::string_view(kPositionPrefix).size());
        return positions == PositionWeights::may_differ ||
               std::find(modifiers.begin(), modifiers.end(), own) != modifiers.end();
    };
    for (const auto& stored : model.stored_tensors()) {
        const auto found = file.tensors.find(stored.name);
        if (found == file.tensors.end()) {
            if (may_lack(stored.name)) continue;
            throw CheckpointError(path.string() + " has no tensor " + stored.name +
                                  ": its model differs from the configured one");
        }
        if (found->second.sizes() != stored.tensor.sizes()) {
            throw CheckpointError(path.string() + ": " + stored.name + " has the shape " +
                                  shape_text(found->second.sizes()) + ", the model needs " +
                                  shape_text(stored.tensor.sizes()));
        }
        take(stored, found->second);
        file.tensors.erase(found);
    }
    if (!file.tensors.empty()) {
        throw CheckpointError(path.string() + " has the tensor " + file.tensors.begin()->first +
                              ", which the configured model does not have");
    }
}

}  // namespace

PositionChange position_change(const fs::path& checkpoint, const LanguageModel& model) {
    PositionChange change;
    auto stored = read_safetensors(checkpoint / kModelFile).tensors;
    for (const auto& wanted : model.stored_tensors()) {
        if (!of_position(wanted.name)) continue;
        const auto found = stored.find(wanted.name);
        const bool same = found != stored.end() && found->second.sizes() == wanted.tensor.sizes();
        if (!same) change.added.push_back(wanted.name);
        if (same) stored.erase(found);
    }
    for (const auto& [name, tensor] : stored) {
        if (of_position(name)) change.dropped.push_back(name);
    }
    return change;
}

void load_weights(const fs::path& checkpoint, LanguageModel& model, PositionWeights positions) {
    const at::NoGradGuard no_grad;
    match_weights(checkpoint, model, positions,
                  [](const NamedTensor& stored, const at::Tensor& value) { stored.tensor.copy_(value); });
}

void check_weights(const fs::path& checkpoint, const LanguageModel& model) {
    match_weights(checkpoint, model, PositionWeights::same, [](const NamedTensor&, const at::Tensor&) {});
}

void load_optimizer(const fs::path& checkpoint, const LanguageModel& model, Optimizer& optimizer,
                    const std::vector<at::Tensor>& owned, PositionWeights positions) {
    const at::NoGradGuard no_grad;
    std::map<std::string, std::vector<TensorSlice>> found;
    bool any = false;
    for (const auto& entry : fs::directory_iterator(checkpoint)) {
        const std::string name = entry.path().filename().string();
        if (!starts_with(name, "optimizer-") || entry.path().extension() != ".safetensors") continue;
        read_optimizer_file(entry.path(), found);
        any = true;
    }
    if (!any)
        throw CheckpointError(checkpoint.string() +
                              " has no optimizer file: it can start a run (train.init_from), not continue one");
    std::vector<std::string> added;
    if (positions == PositionWeights::may_differ) added = position_change(checkpoint, model).added;
    const auto is_new = [&](const std::string& slice) {
        return std::any_of(added.begin(), added.end(),
                           [&](const std::string& name) { return slice.ends_with("/" + name); });
    };
    for (const auto& slice : optimizer_slices(model, optimizer, owned)) {
        if (is_new(slice.name)) continue;  // it has no state yet
        const auto parts = found.find(slice.name);
        if (parts == found.end())
            throw CheckpointError(checkpoint.string() + ": the optimizer's files lack " + slice.name);
        fill_slice(slice, parts->second, checkpoint.string() + ": " + slice.name);
    }
    optimizer.set_steps(read_train_state(checkpoint).optimizer_steps);
}

std::int64_t vocab_size_of(const Json& manifest) {
    const auto size = manifest.find("vocab_size");
    return size != manifest.end() && size->is_number_integer() ? size->get<std::int64_t>() : 0;
}

std::optional<Bos> bos_of_manifest(const Json& manifest, const fs::path& checkpoint) {
    const auto named = manifest.find("bos");
    if (named == manifest.end()) return std::nullopt;
    const auto bos = named->is_string() ? choice_named<Bos>(named->get<std::string>()) : std::nullopt;
    if (!bos) {
        throw CheckpointError((checkpoint / "manifest.json").string() + ": \"bos\" is " + json_text(*named) +
                              ", and known are " + join(choice_names<Bos>(), ", "));
    }
    return bos;
}

LoadedCheckpoint open_checkpoint(const fs::path& checkpoint) {
    verify_checkpoint(checkpoint);
    LoadedCheckpoint loaded;
    loaded.path = checkpoint;
    loaded.manifest = read_manifest(checkpoint);
    loaded.config = read_checkpoint_config(checkpoint);
    loaded.state = read_train_state(checkpoint);
    loaded.tokenizer = load_tokenizer(checkpoint);
    if (vocab_size_of(loaded.manifest) < loaded.tokenizer->vocab_size()) {
        throw CheckpointError((checkpoint / "manifest.json").string() + ": vocab_size does not fit the tokenizer");
    }
    loaded.fingerprint = loaded.manifest["files"][kModelFile]["hash"].get<std::string>();
    loaded.bos = bos_of_manifest(loaded.manifest, checkpoint);
    return loaded;
}

std::shared_ptr<LanguageModel> load_model(const LoadedCheckpoint& checkpoint, const Config& config) {
    auto model = make_language_model(config, checkpoint.manifest["vocab_size"].get<std::int64_t>());
    load_weights(checkpoint.path, *model);
    model->eval();
    return model;
}

LoadedCheckpoint load_checkpoint(const fs::path& checkpoint) {
    auto loaded = open_checkpoint(checkpoint);
    loaded.model = load_model(loaded, loaded.config);
    return loaded;
}

}  // namespace longbow
