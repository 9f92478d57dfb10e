// Imports fairseq's checkpoints (foreign/fairseq_model.h reads them).
#include "longbow/checkpoint/import.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/isfinite.h>

#include <map>

#include "import_parts.h"
#include "longbow/checkpoint/checkpoint.h"
#include "longbow/config/context.h"
#include "longbow/config/load.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/output.h"
#include "longbow/core/strings.h"
#include "longbow/foreign/fairseq_model.h"

namespace longbow {

namespace {

std::unique_ptr<Tokenizer> read_dictionary(const fs::path& path, const FairseqModel& model) {
    TokenizerConfig config;
    config.kind = "word";
    config.file = path.string();
    auto tokenizer = open_tokenizer(config);
    const auto why = dictionary_mismatch(tokenizer->files().at("dict.txt"), model);
    if (!why.empty()) throw DataError(path.string() + " is not this model's dictionary: " + why);
    return tokenizer;
}

void copy_weights(const TorchFile& file, const FairseqModel& model, LanguageModel& target) {
    const at::NoGradGuard no_grad;
    std::map<std::string, const ImportedTensor*> given;
    for (const auto& tensor : model.tensors) given[tensor.name] = &tensor;
    for (const auto& stored : target.stored_tensors()) {
        const auto found = given.find(stored.name);
        if (found == given.end()) throw CheckpointError(file.name() + " gives no values for " + stored.name);
        const auto& [name, source, tensor] = *found->second;
        if (!stored.tensor.sizes().equals(tensor.sizes))
            throw CheckpointError(file.name() + ": " + source + " does not fit " + name);
        auto bytes = file.contiguous(tensor);
        const auto values =
            at::from_blob(bytes.data(), tensor.sizes, scalar_type(file.tree().storages[tensor.storage].dtype));
        if (!at::isfinite(values).all().item<bool>()) {
            throw CheckpointError(file.name() + ": " + source +
                                  " contains values that are not finite: it is damaged, or its training diverged");
        }
        stored.tensor.copy_(values);
        given.erase(found);
    }
    if (!given.empty())
        throw CheckpointError(file.name() + ": longbow's model does not have " + given.begin()->second->source);
}

}  // namespace

ImportReport import_fairseq(const ImportRequest& request) {
    check_import_place(request.out);
    const auto file = TorchFile::open(request.checkpoint);
    auto found = read_fairseq_model(file, request.position);
    const auto tokenizer = read_dictionary(request.dictionary, found);
    found.config = complete_config(found.config, file.name());
    const auto model = make_language_model(found.config, found.vocab_size);
    copy_weights(file, found, *model);

    ImportReport report;
    report.config = found.config;
    report.architecture = found.architecture;
    report.weights_dtype = name_of(file.tree().storages[found.tensors.front().tensor.storage].dtype);
    report.parameters = model->parameter_count();
    report.vocab_size = found.vocab_size;
    report.updates = found.updates;
    report.checkpoint = checkpoint_path(request.out, found.updates);
    TrainState state;
    state.updates = found.updates;
    make_output_folder(request.out);
    write_file_atomic(request.out / "config.yaml", config_yaml(found.config, registered_config_context()));
    save_checkpoint(request.out, *model, nullptr, state, found.config, *tokenizer, "");
    return report;
}

}  // namespace longbow
