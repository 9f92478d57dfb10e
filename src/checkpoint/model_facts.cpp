#include "longbow/checkpoint/model_facts.h"

#include "import_parts.h"
#include "import_tokenizer.h"
#include "longbow/checkpoint/checkpoint.h"
#include "longbow/checkpoint/public_model.h"
#include "manifest.h"

namespace longbow {

namespace {

ModelFacts facts_of_public(const PublicModel& named) {
    const auto request = import_request(named);
    const auto model = named.is_file() ? read_gguf_model(request.source) : read_hf_model(request.source);
    ModelFacts facts;
    facts.config = complete_config(model.config, model.name);
    facts.vocab_size = model.vocab_size;
    facts.bos = bos_of(model, *open_imported_tokenizer(request, model));
    facts.family = model.label;
    facts.definition = model.definition;
    facts.key = content_key(named);
    return facts;
}

ModelFacts facts_of_checkpoint(const std::filesystem::path& checkpoint) {
    const auto manifest = read_manifest(checkpoint);
    ModelFacts facts;
    facts.config = read_checkpoint_config(checkpoint);
    facts.vocab_size = vocab_size_of(manifest);
    facts.bos = bos_of_manifest(manifest, checkpoint);
    const auto& files = manifest["files"];
    if (files.contains(kModelFile)) facts.key = files[kModelFile].value("hash", "");
    return facts;
}

}  // namespace

LoadedCheckpoint checkpoint_to_import(const PublicModel& named) {
    const auto request = import_request(named);
    const auto model = named.is_file() ? read_gguf_model(request.source) : read_hf_model(request.source);
    LoadedCheckpoint checkpoint;
    checkpoint.path = named.place;
    checkpoint.config = complete_config(model.config, model.name);
    checkpoint.manifest = {{"vocab_size", model.vocab_size}};
    checkpoint.tokenizer = open_imported_tokenizer(request, model);
    checkpoint.bos = bos_of(model, *checkpoint.tokenizer);
    checkpoint.fingerprint = content_key(named);
    return checkpoint;
}

ModelFacts model_facts(const std::string& text) {
    const auto model = public_model(text);
    auto facts = model ? facts_of_public(*model) : facts_of_checkpoint(resolve_checkpoint(text));
    facts.max_length = make_meta_model(facts.config, facts.vocab_size)->position().max_length();
    return facts;
}

}  // namespace longbow
