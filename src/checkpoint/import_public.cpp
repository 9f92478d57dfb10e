// Imports public models (foreign/foreign_model.h reads them). The weights go from the mapped files into the
// checkpoint's without ever being a model in memory.
#include <algorithm>
#include <map>
#include <set>

#include "import_parts.h"
#include "import_source.h"
#include "import_tokenizer.h"
#include "longbow/checkpoint/checkpoint.h"
#include "longbow/checkpoint/import.h"
#include "longbow/config/context.h"
#include "longbow/config/load.h"
#include "longbow/core/error.h"
#include "longbow/core/failpoint.h"
#include "longbow/core/files.h"
#include "longbow/core/json_text.h"
#include "longbow/core/output.h"
#include "longbow/core/signals.h"
#include "longbow/core/strings.h"
#include "longbow/foreign/gguf_output.h"
#include "longbow/foreign/tensor_store.h"
#include "manifest.h"
#include "stream_weights.h"

namespace longbow {

namespace {

constexpr std::uintmax_t kLargestKept = std::uintmax_t{64} << 20;  // bytes of a file that is kept

// Settings and vocabularies that lie beside the weights. A checkpoint keeps them for an export. tokenizer.json is not
// among them: the tokenizer keeps it itself.
constexpr const char* kKeptFiles[] = {"config.json",
                                      "generation_config.json",
                                      "tokenizer_config.json",
                                      "chat_template.jinja",
                                      "special_tokens_map.json",
                                      "added_tokens.json",
                                      "tokenizer.model",
                                      "vocab.json",
                                      "merges.txt"};

// Returns the weights in the order of a model of ours.
std::vector<StreamedWeight> ordered_weights(const ForeignModel& model, const LanguageModel& shapes,
                                            std::optional<DType> dtype) {
    std::map<std::string, const PlacedTensor*> given;
    for (const auto& tensor : model.tensors) given[tensor.name] = &tensor;
    std::vector<StreamedWeight> weights;
    for (const auto& stored : shapes.stored_tensors()) {
        const auto found = given.find(stored.name);
        if (found == given.end()) throw CheckpointError(model.name + " gives no values for " + stored.name);
        const auto& tensor = *found->second;
        if (!stored.tensor.sizes().equals(tensor.shape)) {
            throw CheckpointError(model.name + ": " + tensor.source + " gives " + stored.name + " the shape " +
                                  shape_of(tensor.shape) + ", longbow's model has " +
                                  shape_text(stored.tensor.sizes()));
        }
        weights.push_back({&tensor, dtype ? weights_type(*dtype) : scalar_type(tensor.tensor.dtype)});
        given.erase(found);
    }
    if (!given.empty()) throw CheckpointError(model.name + ": longbow's model does not have " + given.begin()->first);
    return weights;
}

std::string types_text(const std::vector<StreamedWeight>& weights) {
    std::set<std::string> types;
    for (const auto& weight : weights) types.insert(weight.tensor->tensor.type);
    return join({types.begin(), types.end()}, ", ");
}

void write_text(const fs::path& path, const std::string& text) {
    OutputFile file(path);
    file.write(text);
    file.close();
}

void keep_files(const fs::path& from, const fs::path& checkpoint) {
    for (const char* name : kKeptFiles) {
        std::error_code error;
        if (fs::is_regular_file(from / name, error) && fs::file_size(from / name, error) <= kLargestKept)
            write_text(checkpoint / (kSourcePrefix + std::string(name)), read_file(from / name));
    }
}

// The metadata of a GGUF file, its tokenizer's above all.
void keep_metadata(const fs::path& from, const fs::path& checkpoint) {
    std::vector<GgufTensorEntry> none;
    write_text(checkpoint / kSourceMetadata, gguf_head(read_gguf_metadata(from), none));
}

// Throws Error if the weights will not fit. A copy of many gigabytes should not fail at its end.
void check_space(const fs::path& out, const std::vector<StreamedWeight>& weights) {
    double bytes = 0;
    for (const auto& weight : weights) {
        double elements = 1;
        for (const auto size : weight.tensor->shape) elements *= static_cast<double>(size);
        bytes += elements * static_cast<double>(c10::elementSize(weight.type));
    }
    const auto free = static_cast<double>(free_space(out));
    if (bytes > free) {
        throw Error(out.string() + ": the weights take " + human_bytes(bytes) + " and " + human_bytes(free) +
                    " are free: choose another place or free some space");
    }
}

ImportReport write_run(const PublicImportRequest& request, const ForeignModel& model, const Tokenizer& tokenizer) {
    const auto shapes = make_meta_model(model.config, model.vocab_size);
    const auto weights = ordered_weights(model, *shapes, request.dtype);
    TrainState state;
    const StopHandlersScope stops;  // stream_weights() asks for a signal, so that what was written is removed
    const auto out = follow_links(request.out);
    make_output_folder(out.has_parent_path() ? out.parent_path() : fs::path("."));
    remove_import_leftovers(out);
    check_space(out, weights);
    {
        DirectoryTransaction transaction(out, /*replace=*/fs::exists(out));
        const auto& run = transaction.path();
        const FolderLock lock(run, kImportedNow);
        write_text(run / "config.yaml", config_yaml(model.config, registered_config_context()));
        const auto checkpoint = checkpoint_path(run, 0);
        fs::create_directories(checkpoint);
        stream_weights(checkpoint / kModelFile, weights, weights_metadata(model.config, model.vocab_size));
        write_text(checkpoint / "state.json", to_json(state).dump(2) + "\n");
        save_tokenizer(tokenizer, checkpoint);
        write_text(checkpoint / kSourceFile, json_text(describe_source(model, request.source.rounded), 1) + "\n");
        if (fs::is_directory(request.source.path)) {
            keep_files(request.source.path, checkpoint);
        } else {
            keep_metadata(request.source.path, checkpoint);
        }
        auto about = describe_checkpoint(*shapes, state, model.config, tokenizer, "");
        about["bos"] = name_of(bos_of(model, tokenizer));
        about["source"] = {{"format", model.format}, {"type", model.type}};
        if (!model.definition.empty()) about["source"]["definition"] = model.definition;
        write_text(checkpoint / "manifest.json", build_manifest(about, checkpoint).dump(2) + "\n");
        fs::create_directory_symlink(checkpoint.filename(), run / "checkpoints" / "last");
        for (const auto& entry : fs::directory_iterator(checkpoint)) sync_path(entry.path());
        sync_path(checkpoint);
        sync_path(run / "checkpoints");
        failpoint("import.before_rename");
        transaction.commit();
        failpoint("import.after_rename");
    }
    ImportReport report;
    report.config = model.config;
    report.checkpoint = checkpoint_path(request.out, 0);
    report.architecture = model.label;
    report.weights_dtype = types_text(weights);
    report.parameters = shapes->parameter_count();
    report.vocab_size = model.vocab_size;
    report.definition = model.definition;
    return report;
}

}  // namespace

ImportReport import_hf(const PublicImportRequest& request) {
    check_import_place(request.out);
    auto model = read_hf_model(request.source);
    model.config = complete_config(model.config, model.name);
    return write_run(request, model, *open_imported_tokenizer(request, model));
}

ImportReport import_gguf(const PublicImportRequest& request) {
    check_import_place(request.out);
    auto model = read_gguf_model(request.source);
    model.config = complete_config(model.config, model.name);
    return write_run(request, model, *open_imported_tokenizer(request, model));
}

std::vector<fs::path> imported_files(const fs::path& model) {
    std::error_code error;
    if (!fs::is_directory(model, error)) return {model};
    std::vector<fs::path> files;
    const auto take = [&](const std::string& name) {
        if (fs::is_regular_file(model / name, error)) files.push_back(model / name);
    };
    for (const char* name : kKeptFiles) take(name);
    take("tokenizer.json");
    for (const auto& name : open_tensor_folder(model).files) take(name);
    return files;
}

}  // namespace longbow
