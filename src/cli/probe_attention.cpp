// longbow probe attention: entropy and shares of attention by layer and head.
#include "longbow/probe/attention_probe.h"

#include "eval_flags.h"
#include "longbow/eval/measured_text.h"
#include "probe.h"
#include "whole_number.h"

namespace longbow {

namespace {

void add_probe_attention(CLI::App& app, VerbContext& context) {
    struct Flags : ProbeFlags {
        TextSource text;
        std::int64_t length = 0;
    };
    auto flags = std::make_shared<Flags>();
    flags->options.items = 20;
    auto* verb = add_verb(probe_group(app), context, "attention",
                          "How evenly each head attends, and its share of the first, the last and the far keys",
                          "longbow probe attention runs/alibi --data data/corpora/austen/store\n"
                          "  longbow probe attention runs/none --text my.txt --length 512 --items 50 --json");
    add_probe_flags(verb, *flags, /*batches=*/false);
    add_item_flags(verb, *flags, "Windows, drawn from the whole text");
    add_text_flags(verb, flags->text);
    verb->add_option("--length", flags->length,
                     "Tokens of a window; default: twice the trained length, or as many as the position method serves")
        ->check(whole_number())
        ->type_name("L");
    run_with(verb, context, [flags](const CommonOptions& common) {
        check_one_text(flags->text, "longbow probe attention");
        MeasuredText text(flags->text, common.threads);
        return run_probe(*flags, common,
                         {[&](const MeasuredRun& run) { (void)attention_length(run, text.stream(run), flags->length); },
                          [&](MeasuredRun& run, LanguageModel& model, const std::string& /*device*/) {
                              auto rows = probe_attention(run, model, text.stream(run), flags->length, flags->options);
                              name_text(rows, text);
                              return rows;
                          },
                          attention_table});
    });
}

LONGBOW_REGISTER_VERB(57, add_probe_attention);

}  // namespace

}  // namespace longbow
