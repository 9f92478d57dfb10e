// longbow probe tasks: the exact match of a run on new items of its task, by length.
#include "longbow/probe/task_probe.h"

#include "flag_values.h"
#include "longbow/core/files.h"
#include "longbow/core/output.h"
#include "longbow/report/heat_map.h"
#include "longbow/telemetry/log.h"
#include "probe.h"

namespace longbow {

namespace {

void add_probe_tasks(CLI::App& app, VerbContext& context) {
    struct Flags : ProbeFlags {
        std::string heat_map;
    };
    auto flags = std::make_shared<Flags>();
    flags->options.items = 500;
    auto* verb = add_verb(probe_group(app), context, "tasks",
                          "Exact match on new items of the synthetic task that a run was trained on, by length",
                          "longbow probe tasks runs/copy\n"
                          "  longbow probe tasks runs/copy-alibi runs/copy-fire --items 1000 --out copy.jsonl\n"
                          "  longbow probe tasks runs/needle --heat-map needle.svg");
    add_probe_flags(verb, *flags);
    add_item_flags(verb, *flags, "Items of each range of lengths");
    verb->add_option("--heat-map", flags->heat_map,
                     "SVG file of the exact match by length and depth, a map for each run; for the task needle")
        ->transform(output_file())
        ->type_name("FILE");
    run_with(verb, context, [flags](const CommonOptions& common) {
        const bool drawn = !flags->heat_map.empty();
        if (drawn) check_output(flags->heat_map);
        std::vector<HeatMap> maps;
        const auto code = run_probe(*flags, common,
                                    {drawn ? check_depths : check_task_run,
                                     [&](MeasuredRun& run, LanguageModel& model, const std::string& /*device*/) {
                                         auto rows = probe_task(run, model, flags->options);
                                         if (drawn) maps.push_back(depth_map(run.name, rows));
                                         return rows;
                                     },
                                     task_table});
        if (drawn) {
            write_file_atomic(flags->heat_map, heat_map_svg(maps));
            log::info("wrote " + flags->heat_map);
        }
        return code;
    });
}

LONGBOW_REGISTER_VERB(55, add_probe_tasks);

}  // namespace

}  // namespace longbow
