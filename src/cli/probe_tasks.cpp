// longbow probe tasks: the exact match of a run on new items of its task, by length.
#include "longbow/probe/task_probe.h"
#include "probe.h"

namespace longbow {

namespace {

void add_probe_tasks(CLI::App& app, VerbContext& context) {
    auto flags = std::make_shared<ProbeFlags>();
    flags->options.items = 500;
    auto* verb = add_verb(probe_group(app), context, "tasks",
                          "Exact match on new items of the synthetic task that a run was trained on, by length",
                          "longbow probe tasks runs/copy\n"
                          "  longbow probe tasks runs/copy-alibi runs/copy-fire --items 1000 --out copy.jsonl");
    add_probe_flags(verb, *flags);
    add_item_flags(verb, *flags, "Items of each range of lengths");
    run_with(verb, context, [flags](const CommonOptions& common) {
        return run_probe(*flags, common,
                         {check_task_run,
                          [&](MeasuredRun& run, LanguageModel& model, const std::string& /*device*/) {
                              return probe_task(run, model, flags->options);
                          },
                          task_table});
    });
}

LONGBOW_REGISTER_VERB(55, add_probe_tasks);

}  // namespace

}  // namespace longbow
