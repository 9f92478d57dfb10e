// longbow export: writes a checkpoint as other programs have it: hf for transformers, gguf for llama.cpp.
#include "longbow/checkpoint/export.h"

#include <fmt/core.h>

#include <iostream>
#include <memory>

#include "flag_values.h"
#include "longbow/checkpoint/checkpoint.h"
#include "longbow/core/choice.h"
#include "longbow/core/output.h"
#include "longbow/core/strings.h"
#include "longbow/eval/runs.h"
#include "longbow/foreign/foreign_model.h"
#include "longbow/foreign/hf_export.h"
#include "verbs.h"

namespace longbow {

namespace {

struct Flags {
    std::string checkpoint, dtype;
    HfExportRequest request;
};

int run(const Flags& flags) {
    auto request = flags.request;
    check_output_folder(request.out);  // before a public model is imported
    request.checkpoint = resolve_checkpoint(flags.checkpoint);
    if (!flags.dtype.empty()) request.dtype = choice_named<DType>(flags.dtype);
    const auto report = export_hf(request);
    std::cout << fmt::format("{}: {}{}, {} parameters in {} tensors ({})\n", request.out.string(), report.class_name,
                             report.as_imported ? " as it was imported" : "", with_commas(report.parameters),
                             with_commas(report.tensors), report.types)
              << "  " << join(report.files, ", ") << "\n";
    for (const auto& note : report.notes) std::cout << "  " << note << "\n";
    return 0;
}

std::string classes() {
    std::vector<std::string> names;
    for (const auto& one : hf_classes()) names.push_back(one.class_name);
    return join(names, ", ");
}

void add_hf(CLI::App& group, VerbContext& context) {
    auto flags = std::make_shared<Flags>();
    auto* verb = add_verb(group, context, "hf",
                          "A folder for transformers: the class that computes exactly what the model does (" +
                              classes() + "), or the family that it was imported from",
                          "longbow export hf runs/alibi --out models/alibi\n"
                          "  longbow export hf runs/t5@best --out models/t5 --custom-code");
    verb->add_option("CHECKPOINT", flags->checkpoint, "A run (its best checkpoint), RUN@last, RUN@step=N, a checkpoint")
        ->required()
        ->type_name("RUN");
    verb->add_option("--out", flags->request.out, "Folder to make")
        ->check(output_folder())
        ->required()
        ->type_name("DIR");
    verb->add_option("--dtype", flags->dtype, "Type of the weights; without it the checkpoint's")
        ->check(CLI::IsMember(choice_names<DType>()));
    verb->add_flag("--custom-code", flags->request.custom_code,
                   "Write the weights under longbow's names, and the code of a class that transformers loads with "
                   "trust_remote_code: for models that no class of its own holds");
    run_with(verb, context, [flags](const CommonOptions&) { return run(*flags); });
}

struct GgufFlags {
    std::string checkpoint, dtype;
    GgufFileRequest request;
};

int run_gguf(const GgufFlags& flags) {
    auto request = flags.request;
    check_output(request.out);  // before a public model is imported
    request.checkpoint = resolve_checkpoint(flags.checkpoint);
    request.name = run_name(run_folder(request.checkpoint));
    if (!flags.dtype.empty()) request.weights = choice_named<GgufWeights>(flags.dtype);
    const auto report = export_gguf(request);
    // Standard output may be the file.
    auto& out = find_output(request.out).stream ? std::cerr : std::cout;
    out << fmt::format("{}: {}, {} parameters in {} tensors ({}), {}\n", request.out.string(), report.architecture,
                       with_commas(report.parameters), with_commas(report.tensors), report.types,
                       human_bytes(static_cast<double>(report.bytes)));
    if (!report.tokenizer.empty()) out << "  tokenizer " << report.tokenizer << "\n";
    for (const auto& note : report.notes) out << "  " << note << "\n";
    return 0;
}

void add_gguf(CLI::App& group, VerbContext& context) {
    auto flags = std::make_shared<GgufFlags>();
    auto* verb = add_verb(group, context, "gguf",
                          "A file for llama.cpp: the architecture that computes what the model does (" +
                              join(gguf_architectures(), ", ") + ")",
                          "longbow export gguf runs/alibi --out models/alibi.gguf\n"
                          "  longbow export gguf runs/smollm2 --dtype q8_0 --out models/smollm2.q8_0.gguf");
    verb->add_option("CHECKPOINT", flags->checkpoint, "A run (its best checkpoint), RUN@last, RUN@step=N, a checkpoint")
        ->required()
        ->type_name("RUN");
    verb->add_option("--out", flags->request.out, "File to make; - for standard output")
        ->transform(output_file())
        ->required()
        ->type_name("FILE.gguf");
    verb->add_option("--dtype", flags->dtype,
                     "Type of the matrices (" + choice_help<GgufWeights>() +
                         "); without it the checkpoint's. Vectors and positions are F32")
        ->check(CLI::IsMember(choice_names<GgufWeights>()));
    verb->add_option("--architecture", flags->request.architecture,
                     "The only architecture to take; without it the first that fits")
        ->check(CLI::IsMember(gguf_architectures()))
        ->type_name("NAME");
    run_with(verb, context, [flags](const CommonOptions&) { return run_gguf(*flags); });
}

void add_export(CLI::App& app, VerbContext& context) {
    auto* group = add_verb_group(app, "export", "Write a model for another program",
                                 "longbow export hf runs/alibi --out models/alibi");
    add_hf(*group, context);
    add_gguf(*group, context);
}

LONGBOW_REGISTER_VERB(67, add_export);

}  // namespace

}  // namespace longbow
