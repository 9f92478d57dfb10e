// longbow study: trains and evaluates a grid of settings and seeds, and compares them.
#include <algorithm>
#include <iostream>
#include <memory>

#include "config_file.h"
#include "flag_values.h"
#include "grid_flags.h"
#include "longbow/config/context.h"
#include "longbow/core/error.h"
#include "longbow/study/study.h"
#include "longbow/telemetry/log.h"

namespace longbow {

namespace {

struct StudyFlags : GridFlags {
    std::string file, part;
    bool save_rows = false;
};

StudyRequest request_of(const StudyFlags& flags, const CommonOptions& common) {
    StudyRequest request;
    request.settings = read_study(flags.file);
    request.part = flags.part;
    request.save_rows = flags.save_rows;
    if (flags.save_rows && request.settings.rows.empty())
        throw UsageError("--save-rows: " + flags.file + " names no folder for them: add rows: FOLDER");
    request.run_dir = flags.run_dir.empty() ? "runs/" + request.settings.name : flags.run_dir;
    request.context = registered_config_context();
    request.device = common.device;
    // A thread for each child gives the same bits on machines with any number of cores, and occupies those better that
    // small models leave idle. A GPU is not shared.
    const bool on_cpu = resolve_device(common.device) == "cpu";
    request.jobs = flags.jobs > 0 ? flags.jobs : on_cpu ? std::max(1, common.threads / flags.nproc) : 1;
    request.nproc = flags.nproc;
    request.threads = on_cpu && flags.jobs == 0 ? 1 : std::max(1, common.threads / (request.jobs * request.nproc));
    // The commands run on another machine, which chooses.
    if (flags.print_commands || !flags.slurm.empty()) request.threads = 0;
    return request;
}

int run_verb(const StudyFlags& flags, const CommonOptions& common) {
    auto request = request_of(flags, common);
    if (flags.dry_run) request.meter = speed_meter(request, 0.6, common);
    if (print_instead(flags, {[&] { return plan_text(plan_study(request), request); },
                              [&] { return shell_script(plan_study(request), request); },
                              [&] { return slurm_script(plan_study(request), request); }}))
        return 0;
    const auto output = run_study(request);
    std::cout << output.markdown << "\n";
    print_pictures(output.files.written());
    if (!output.rows.empty()) log::info("wrote the finished rows to " + output.rows.string());
    return 0;
}

void add_study(CLI::App& app, VerbContext& context) {
    auto flags = std::make_shared<StudyFlags>();
    auto* verb =
        add_verb(app, context, "study", "A grid of settings and seeds: train, evaluate, compare with a baseline",
                 "longbow study configs/studies/austen.yaml --dry-run\n"
                 "  longbow study configs/studies/austen.yaml --part gates\n"
                 "  longbow study configs/studies/austen.yaml --slurm austen.sbatch");
    verb->add_option("FILE", flags->file, "The study: what varies, the seeds, the lengths (docs/study.md)")
        ->transform(config_file())
        ->required();
    verb->add_option("--part", flags->part, "Run this part of the grid only")->type_name("NAME");
    verb->add_flag("--save-rows", flags->save_rows,
                   "Afterwards write the rows of all finished models into the folder that the study names, so that a "
                   "copy of the folder trains none of them again");
    add_grid_flags(verb, *flags, "runs/NAME, by the study's name", "on a CPU as many as there are threads, on a GPU 1");
    run_with(verb, context, [flags](const CommonOptions& common) { return run_verb(*flags, common); });
}
LONGBOW_REGISTER_VERB(53, add_study);

}  // namespace

}  // namespace longbow
