// longbow generate: continues a prompt with a checkpoint's model.
#include "longbow/generate/generate.h"

#include <torch/types.h>

#include <iostream>
#include <limits>
#include <memory>

#include "flag_values.h"
#include "longbow/checkpoint/checkpoint.h"
#include "longbow/checkpoint/public_model.h"
#include "longbow/core/signals.h"
#include "verbs.h"
#include "whole_number.h"

namespace longbow {

namespace {

struct Flags {
    std::string checkpoint;
    GenerateRequest request;
    bool past_boundary = false;
};

bool begins_with_boundary(const LoadedCheckpoint& loaded) { return !loaded.bos || *loaded.bos != Bos::never; }

// Refuses a prompt that a public model cannot continue before the model is imported.
void check_before_import(const Flags& flags, GenerateRequest request) {
    const auto named = public_model(flags.checkpoint);
    if (!named || is_cached(*named)) return;
    const auto checkpoint = checkpoint_to_import(*named);
    request.boundary_first = begins_with_boundary(checkpoint);
    check_prompt(*make_meta_model(checkpoint.config, vocab_size_of(checkpoint.manifest)), *checkpoint.tokenizer,
                 request);
}

int run(const Flags& flags, const CommonOptions& common) {
    install_stop_handlers();
    auto request = flags.request;
    request.stop_at_boundary = !flags.past_boundary;
    check_request(request);
    const auto device = resolve_device(common.device);
    prepare_process(device);
    check_before_import(flags, request);
    auto loaded = load_checkpoint(resolve_checkpoint(flags.checkpoint));
    request.boundary_first = begins_with_boundary(loaded);
    check_prompt(*loaded.model, *loaded.tokenizer, request);
    loaded.model->to(torch::Device(device));
    std::cout << request.prompt << std::flush;
    generate(*loaded.model, *loaded.tokenizer, request,
             [](const std::string& piece) { std::cout << piece << std::flush; });
    std::cout << '\n';
    return 0;
}

void add_generate(CLI::App& app, VerbContext& context) {
    auto flags = std::make_shared<Flags>();
    auto* verb = add_verb(
        app, context, "generate", "Continue a prompt with a trained model",
        "longbow generate runs/alibi --prompt \"It is a truth universally acknowledged\" --temperature 0.8 --top-p 0.95");
    auto& request = flags->request;
    verb->add_option(
            "CHECKPOINT", flags->checkpoint,
            "Run directory, checkpoint directory, RUN@last, RUN@best, RUN@step=N, or a public model (FOLDER or FILE.gguf)")
        ->required();
    verb->add_option("--prompt", request.prompt, "Text to continue; may be empty")->check(free_text())->required();
    verb->add_option("--max-new-tokens", request.max_new_tokens, "Tokens to add at most")
        ->check(whole_number(0))
        ->type_name("N")
        ->capture_default_str();
    verb->add_option("--temperature", request.temperature, "Divides the scores; 0: always the best token")
        ->type_name("T")
        ->capture_default_str();
    verb->add_option("--top-k", request.top_k, "Draw from the K best tokens; 0: from all")
        ->check(whole_number(0))
        ->type_name("K")
        ->capture_default_str();
    verb->add_option("--top-p", request.top_p, "Draw from the fewest best tokens whose probabilities sum to P")
        ->type_name("P")
        ->capture_default_str();
    verb->add_option("--seed", request.seed, "Same seed, same text; 0 to 18446744073709551615")
        ->check(whole_number(0, std::numeric_limits<std::uint64_t>::max()))
        ->type_name("N")
        ->capture_default_str();
    verb->add_flag("--past-boundary", flags->past_boundary, "Continue after the end of a document (word: of a line)");
    run_with(verb, context, [flags](const CommonOptions& common) { return run(*flags, common); });
}

LONGBOW_REGISTER_VERB(60, add_generate);

}  // namespace

}  // namespace longbow
