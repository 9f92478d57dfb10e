// longbow import: the verbs below it. This one, fairseq, turns a checkpoint of the authors' program into one of ours.
#include "longbow/checkpoint/import.h"

#include <fmt/core.h>

#include <iostream>
#include <memory>

#include "flag_values.h"
#include "import_public.h"
#include "longbow/core/strings.h"
#include "longbow/foreign/fairseq_model.h"
#include "verbs.h"

namespace longbow {

namespace {

int run(const ImportRequest& request) {
    const auto report = import_fairseq(request);
    const auto& model = report.config.model;
    std::cout << fmt::format("{}: {}{} parameters ({} in the file), {} ids\n", report.checkpoint.string(),
                             report.architecture.empty() ? "" : report.architecture + ", ",
                             with_commas(report.parameters), report.weights_dtype, with_commas(report.vocab_size))
              << fmt::format("  {} layers, dim {}, {} heads, ffn {}, {}, {} final norm, {}\n", model.layers, model.dim,
                             model.heads, model.ffn_dim, name_of(model.activation), model.final_norm ? "with a" : "no",
                             model.adaptive_cutoffs.empty() ? "plain embedding" : "adaptive embedding and softmax")
              << fmt::format("  position {} (as --position says), trained at length {}{}\n",
                             report.config.position.method, report.config.train.length,
                             report.updates > 0 ? " for " + with_commas(report.updates) + " updates" : "");
    return 0;
}

void add_import(CLI::App& app, VerbContext& context) {
    auto* group = add_verb_group(
        app, "import", "Convert a checkpoint of another program",
        "longbow import fairseq checkpoint_best.pt --dict dict.txt --position alibi --out runs/imported");
    auto request = std::make_shared<ImportRequest>();
    auto* verb = add_verb(
        *group, context, "fairseq", "A language model of fairseq's transformer_lm family (the paper's models)",
        "longbow import fairseq alibi_wt103_L512.pt --dict wikitext-103/dict.txt --position alibi --out runs/alibi-512\n"
        "  longbow eval runs/alibi-512 --text wiki.valid.tokens --lengths 512,3072");
    verb->add_option("CHECKPOINT", request->checkpoint, "fairseq's .pt file, of any version; nothing in it is executed")
        ->required()
        ->type_name("FILE.pt");
    verb->add_option("--dict", request->dictionary, "The dictionary that the training data was made with")
        ->required()
        ->type_name("dict.txt");
    verb->add_option("--position", request->position,
                     "Position method that the model was trained with, which the file does not say: " +
                         join(fairseq_positions(), " | "))
        ->required()
        ->type_name("METHOD");
    verb->add_option("--out", request->out, "Run directory to make")
        ->check(output_folder())
        ->required()
        ->type_name("DIR");
    run_with(verb, context, [request](const CommonOptions&) { return run(*request); });
    add_public_imports(*group, context);
}

LONGBOW_REGISTER_VERB(65, add_import);

}  // namespace

}  // namespace longbow
