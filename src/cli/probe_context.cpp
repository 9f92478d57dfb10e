// longbow probe context: the loss of the same targets from shorter and longer contexts.
#include "longbow/probe/context_probe.h"

#include "eval_flags.h"
#include "flag_values.h"
#include "longbow/eval/measured_text.h"
#include "probe.h"
#include "whole_number.h"

namespace longbow {

namespace {

void add_probe_context(CLI::App& app, VerbContext& context) {
    struct Flags : ProbeFlags {
        TextSource text;
        std::vector<std::int64_t> contexts;
    };
    auto flags = std::make_shared<Flags>();
    flags->options.items = 500;
    auto* verb =
        add_verb(probe_group(app), context, "context",
                 "How much a longer context lowers the loss of the same targets, and the effective context length",
                 "longbow probe context runs/alibi runs/rotary --data data/corpora/austen/store\n"
                 "  longbow probe context runs/alibi --text my.txt --contexts 16,64,256,1024 --items 2000");
    add_probe_flags(verb, *flags);
    add_item_flags(verb, *flags, "Targets, drawn from the whole text");
    add_text_flags(verb, flags->text);
    add_list(verb, "--contexts", flags->contexts,
             "Tokens before each target; default: 1/8 to 8 times the trained length, in powers of 2", whole_number())
        ->type_name("C,..");
    run_with(verb, context, [flags](const CommonOptions& common) {
        check_one_text(flags->text, "longbow probe context");
        MeasuredText text(flags->text, common.threads);
        return run_probe(*flags, common,
                         {[&](const MeasuredRun& run) {
                              const auto contexts = contexts_of(run, flags->contexts);
                              (void)context_targets(text.stream(run), contexts.back(), {.items = 1});
                          },
                          [&](MeasuredRun& run, LanguageModel& model, const std::string& /*device*/) {
                              auto rows = probe_context(run, model, text.stream(run), flags->contexts, flags->options);
                              name_text(rows, text);
                              return rows;
                          },
                          context_table});
    });
}

LONGBOW_REGISTER_VERB(56, add_probe_context);

}  // namespace

}  // namespace longbow
