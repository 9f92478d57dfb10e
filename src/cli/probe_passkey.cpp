// longbow probe passkey: whether a model finds a number that is hidden in filler text.
#include "longbow/probe/passkey_probe.h"

#include "flag_values.h"
#include "probe.h"
#include "whole_number.h"

namespace longbow {

namespace {

void add_probe_passkey(CLI::App& app, VerbContext& context) {
    struct Flags : ProbeFlags {
        std::vector<std::int64_t> lengths;
    };
    auto flags = std::make_shared<Flags>();
    flags->options.items = 100;
    auto* verb =
        add_verb(probe_group(app), context, "passkey",
                 "Whether a number hidden in filler text is more probable than 99 others where it is asked for",
                 "longbow probe passkey runs/alibi --lengths 256,1024 --items 200");
    add_probe_flags(verb, *flags, /*batches=*/false);
    add_item_flags(verb, *flags, "Texts of each length");
    add_list(verb, "--lengths", flags->lengths, "Tokens of the texts; default: 1, 2, 4 and 8 times the trained length",
             whole_number())
        ->type_name("L,..");
    run_with(verb, context, [flags](const CommonOptions& common) {
        return run_probe(*flags, common,
                         {[&](const MeasuredRun& run) { (void)passkey_lengths(run, flags->lengths); },
                          [&](MeasuredRun& run, LanguageModel& model, const std::string& /*device*/) {
                              return probe_passkey(run, model, flags->lengths, flags->options);
                          },
                          passkey_table});
    });
}

LONGBOW_REGISTER_VERB(59, add_probe_passkey);

}  // namespace

}  // namespace longbow
