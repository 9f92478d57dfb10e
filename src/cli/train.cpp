// longbow train
#include <cmath>
#include <filesystem>
#include <iostream>
#include <memory>

#include "longbow/checkpoint/config_context.h"
#include "longbow/config/load.h"
#include "longbow/core/strings.h"
#include "longbow/train/trainer.h"
#include "ranks.h"
#include "verbs.h"

namespace longbow {

namespace {

struct TrainFlags {
    ConfigArguments config;
    std::string run_dir;
    std::string resume = "auto";
    bool dry_run = false;
    std::string plan_device;
    RankOptions ranks;
};

void print_summary(const TrainSummary& summary) {
    std::cout << summary.run_dir.string() << ": " << (summary.was_finished ? "finished already, " : "") << with_commas(summary.updates)
              << " updates";
    if (summary.best_valid_ppl > 0) std::cout << strprintf(", best validation perplexity %.2f", summary.best_valid_ppl);
    std::cout << ", " << summary.checkpoint.string() << "\n";
}

// Sample standard deviation: the seeds are a sample.
void print_seeds(const TrainSummary& all) {
    for (const auto& one : all.seeds) print_summary(one);
    double squares = 0;
    for (const auto& one : all.seeds) squares += std::pow(one.best_valid_ppl - all.best_valid_ppl, 2);
    if (all.best_valid_ppl <= 0) return;
    std::cout << strprintf("%zu seeds: best validation perplexity %.2f +- %.2f (mean and standard deviation)\n", all.seeds.size(),
                           all.best_valid_ppl, std::sqrt(squares / static_cast<double>(all.seeds.size() - 1)));
}

void add_train(CLI::App& app, VerbContext& context) {
    auto flags = std::make_shared<TrainFlags>();
    auto* verb = add_verb(
        app, context, "train", "Train a model, or go on with a run that was interrupted",
        "longbow train -c configs/demo/alibi.yaml\n  longbow train -c configs/demo/alibi.yaml train.length=128 --run-dir runs/alibi-128");
    add_config_arguments(verb, flags->config);
    add_rank_arguments(verb, flags->ranks);
    verb->add_option("--run-dir", flags->run_dir, "Where the run lives; default: runs/<name of the last config file>")->type_name("DIR");
    verb->add_option("--resume", flags->resume,
                     "auto: go on from the newest whole checkpoint of the run; never: refuse if it has any; or a CHECKPOINT")
        ->type_name("auto|never|CHECKPOINT")
        ->capture_default_str();
    auto* dry_run =
        verb->add_flag("--dry-run", flags->dry_run, "Print what the run would take (parameters, updates, memory, FLOPs) and stop");
    verb->add_option("--plan-device", flags->plan_device,
                     "With --dry-run: plan the memory of this kind of device, which need not be here; default: --device")
        ->type_name("cpu|cuda")
        ->check(CLI::IsMember({"cpu", "cuda"}))
        ->needs(dry_run);
    run_with(verb, context, [flags](const CommonOptions& common) {
        TrainRequest request;
        request.config = load_config({flags->config.files, flags->config.overrides}, registered_config_context());
        request.run_dir = flags->run_dir.empty() ? std::filesystem::path("runs") / std::filesystem::path(flags->config.files.back()).stem()
                                                 : std::filesystem::path(flags->run_dir);
        request.resume = flags->resume;
        if (flags->dry_run) {
            request.device = flags->plan_device.empty() ? resolve_device(common.device) : flags->plan_device;
            request.threads = common.threads;
            std::cout << training_plan(request, flags->ranks.nproc);
            return 0;
        }
        return run_ranked(flags->ranks, common, request.config.dist.timeout, [&](const Ranked& ranked) {
            request.ranks = ranked.ranks;
            request.device = ranked.device;
            request.threads = ranked.threads;
            const auto summary = train(request);
            if (ranked.ranks->leader()) summary.seeds.empty() ? print_summary(summary) : print_seeds(summary);
            return 0;
        });
    });
}

LONGBOW_REGISTER_VERB(20, add_train);

}  // namespace

}  // namespace longbow
