// longbow import hf and import gguf: turn a public model into a run of ours.
#include <fmt/core.h>

#include <iostream>
#include <memory>

#include "flag_values.h"
#include "import_public.h"
#include "longbow/checkpoint/import.h"
#include "longbow/core/choice.h"
#include "longbow/core/strings.h"
#include "verbs.h"

namespace longbow {

namespace {

struct Flags {
    PublicImportRequest request;
    std::string dtype;
    std::int64_t train_length = 0, ids_boundary = -1;
};

std::string shape_line(const ModelConfig& model) {
    const auto kv = model.key_value_heads() == model.heads ? "" : fmt::format(" ({} of keys)", model.key_value_heads());
    return fmt::format("  {} layers, dim {}, {} heads{} of {}, ffn {}, {}, {}, block {}\n", model.layers, model.dim,
                       model.heads, kv, model.head_size(), model.ffn_dim, name_of(model.activation),
                       name_of(model.norm), name_of(model.block));
}

int run(const Flags& flags, ImportReport (*import)(const PublicImportRequest&)) {
    auto request = flags.request;
    if (!flags.dtype.empty()) request.dtype = choice_named<DType>(flags.dtype);
    if (flags.train_length > 0) request.source.train_length = flags.train_length;
    if (flags.ids_boundary >= 0) request.ids_boundary = flags.ids_boundary;
    const auto report = import(request);
    const auto& config = report.config;
    const auto length = config.train.length > 0
                            ? fmt::format("made for length {}", with_commas(config.train.length))
                            : std::string("made for a length that the files do not say (--train-length)");
    std::cout << fmt::format("{}: {}, {} parameters ({}), {} ids\n", report.checkpoint.string(), report.architecture,
                             with_commas(report.parameters), report.weights_dtype, with_commas(report.vocab_size))
              << shape_line(config.model) << fmt::format("  position {}, {}\n", config.position.method, length);
    if (!report.definition.empty()) std::cout << "  " << report.definition << "\n";
    return 0;
}

void add_flags(CLI::App* verb, const std::shared_ptr<Flags>& flags) {
    verb->add_option("--out", flags->request.out, "Run directory to make")
        ->check(output_folder())
        ->required()
        ->type_name("DIR");
    verb->add_option("--dtype", flags->dtype, "Type of the weights on disk; without it the type that the files have")
        ->check(CLI::IsMember(choice_names<DType>()));
    auto* tokenizer = verb->add_option("--tokenizer", flags->request.tokenizer,
                                       "A tokenizer.json, a .model, or a folder with one, in place of the model's own")
                          ->type_name("FILE");
    verb->add_option(
            "--no-tokenizer", flags->ids_boundary,
            "Import the model without a tokenizer, to score given ids (eval --ids) alone; ID is the token that "
            "ends documents")
        ->check(CLI::Range(std::int64_t{0}, std::int64_t{4294967295}))
        ->type_name("ID")
        ->excludes(tokenizer);
    verb->add_option("--train-length", flags->train_length,
                     "Length that the model was trained at, in place of what the files say")
        ->check(CLI::Range(std::int64_t{1}, kLongestTrainLength));
}

void add_gguf(CLI::App& group, VerbContext& context) {
    auto flags = std::make_shared<Flags>();
    auto* verb = add_verb(group, context, "gguf",
                          "A GGUF file, as llama.cpp has them, quantized or not: " + join(gguf_architectures(), ", "),
                          "longbow import gguf SmolLM2-135M-Instruct.Q4_1.gguf --dtype bf16 --out runs/smollm2\n"
                          "  longbow eval runs/smollm2 --text wiki.valid.tokens --lengths 2048,8192");
    verb->add_option("FILE", flags->request.source.path, "The file; quantized weights become fp32, or --dtype")
        ->required()
        ->type_name("FILE.gguf");
    add_flags(verb, flags);
    run_with(verb, context, [flags](const CommonOptions&) { return run(*flags, import_gguf); });
}

void add_hf(CLI::App& group, VerbContext& context) {
    auto flags = std::make_shared<Flags>();
    auto* verb = add_verb(group, context, "hf",
                          "A folder with config.json, weights and a tokenizer, as on the Hugging Face hub: " +
                              join(hf_model_types(), ", "),
                          "longbow import hf models/bloom-560m --train-length 2048 --out runs/bloom\n"
                          "  longbow eval runs/bloom --text wiki.valid.tokens --lengths 2048,8192");
    verb->add_option("FOLDER", flags->request.source.path,
                     "config.json, safetensors or pytorch_model.bin, tokenizer.json; nothing in it is executed")
        ->required()
        ->type_name("FOLDER");
    verb->add_flag(
        "--rounded", flags->request.source.rounded,
        "Where transformers leaves the model's definition (ALiBi of Falcon in bfloat16, alibi_bias_max of MPT), "
        "import what it computes");
    add_flags(verb, flags);
    run_with(verb, context, [flags](const CommonOptions&) { return run(*flags, import_hf); });
}

}  // namespace

void add_public_imports(CLI::App& group, VerbContext& context) {
    add_hf(group, context);
    add_gguf(group, context);
}

}  // namespace longbow
