#include "grid_flags.h"

#include <ATen/Parallel.h>

#include <iostream>

#include "flag_values.h"
#include "longbow/core/files.h"
#include "longbow/core/output.h"
#include "longbow/telemetry/log.h"
#include "longbow/train/speed.h"
#include "whole_number.h"

namespace longbow {

void add_grid_flags(CLI::App* verb, GridFlags& flags, const std::string& run_dir_default,
                    const std::string& jobs_default) {
    verb->add_option("--run-dir", flags.run_dir, "Where models, tables and figures go; default: " + run_dir_default)
        ->check(output_folder())
        ->type_name("DIR");
    verb->add_option("--jobs", flags.jobs,
                     "Models that are trained or evaluated at the same time; default: " + jobs_default)
        ->check(whole_number(1, 1024))
        ->type_name("N");
    verb->add_option("--nproc", flags.nproc,
                     "Ranks that share each model's training and evaluations: one GPU each (docs/distributed.md)")
        ->check(whole_number(1, 1024))
        ->type_name("N");
    verb->add_flag("--dry-run", flags.dry_run, "Print the plan: what is done, what is missing, what it will cost");
    auto* print =
        verb->add_flag("--print-commands", flags.print_commands, "Print the missing commands instead of running them");
    verb->add_option("--slurm", flags.slurm, "Write them as a Slurm array, a task a model")
        ->transform(output_file())
        ->type_name("FILE")
        ->excludes(print);
}

SpeedMeter speed_meter(const GridRequest& request, double budget, const CommonOptions& common) {
    const auto device = resolve_device(common.device);
    prepare_process(device);
    if (request.threads > 0) at::set_num_threads(request.threads);
    return [device, budget](const Config& config, std::int64_t vocab_size, const std::vector<TimedEval>& evals) {
        SpeedRequest wanted;
        wanted.config = config;
        wanted.vocab_size = vocab_size;
        wanted.device = device;
        wanted.budget = budget;
        for (const auto& eval : evals) {
            auto& timed = wanted.evaluations.emplace_back();
            timed.length = eval.length;
            timed.stride = eval.stride;
            timed.dtype = config.train.dtype == DType::fp64 ? DType::fp64 : DType::fp32;
            if (eval.one_at_a_time) timed.max_batch_tokens = 1;
        }
        const auto speed = measure_speed(wanted);
        return LocalSpeed{speed.update_seconds, speed.evaluation};
    };
}

bool print_instead(const GridFlags& flags, const GridTexts& texts) {
    if (!flags.slurm.empty()) check_output(flags.slurm);
    if (flags.dry_run) {
        std::cout << texts.plan();
    } else if (flags.print_commands) {
        std::cout << texts.commands();
    } else if (!flags.slurm.empty()) {
        write_file_atomic(flags.slurm, texts.slurm());
        log::info("wrote " + flags.slurm);
    }
    return flags.dry_run || flags.print_commands || !flags.slurm.empty();
}

void print_pictures(const std::vector<fs::path>& files) {
    for (const auto& file : files) {
        if (file.extension() == ".svg" || file.extension() == ".html") std::cout << file.string() << "\n";
    }
}

}  // namespace longbow
