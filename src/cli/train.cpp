// longbow train: trains a model, resumes a run, or forks one (--from).
#include <fmt/core.h>

#include <cmath>
#include <filesystem>
#include <iostream>
#include <memory>

#include "flag_values.h"
#include "longbow/config/context.h"
#include "longbow/config/load.h"
#include "longbow/core/error.h"
#include "longbow/core/strings.h"
#include "longbow/train/fork.h"
#include "longbow/train/trainer.h"
#include "ranks.h"
#include "verbs.h"

namespace longbow {

namespace {

struct TrainFlags {
    ConfigArguments config;
    std::string run_dir;
    std::string resume = "auto";
    bool resume_given = false;
    std::string from;
    bool dry_run = false;
    std::string plan_device;
    RankOptions ranks;
};

// A run that has almost diverged has a loss whose exponential overflows a double.
std::string perplexity_text(double value) { return std::isfinite(value) ? fmt::format("{:.2f}", value) : "infinite"; }

void print_summary(const TrainSummary& summary) {
    std::cout << summary.run_dir.string() << ": " << (summary.was_finished ? "finished already, " : "")
              << with_commas(summary.updates) << " updates";
    if (summary.best_valid_ppl > 0)
        std::cout << ", best validation perplexity " << perplexity_text(summary.best_valid_ppl);
    std::cout << ", " << summary.checkpoint.string() << "\n";
}

// The deviation is that of a sample (n - 1), since the seeds are a sample.
void print_seeds(const TrainSummary& all) {
    for (const auto& one : all.seeds) print_summary(one);
    double squares = 0;
    for (const auto& one : all.seeds) squares += std::pow(one.best_valid_ppl - all.best_valid_ppl, 2);
    if (all.best_valid_ppl <= 0) return;
    if (!std::isfinite(all.best_valid_ppl)) {
        std::cout << fmt::format("{} seeds: no mean, because a validation perplexity is infinite\n", all.seeds.size());
        return;
    }
    std::cout << fmt::format("{} seeds: best validation perplexity {:.2f} +- {:.2f} (mean and standard deviation)\n",
                             all.seeds.size(), all.best_valid_ppl,
                             std::sqrt(squares / static_cast<double>(all.seeds.size() - 1)));
}

// The configuration comes from -c and the overrides, or with --from from the forked run and the overrides.
TrainRequest request_of(const TrainFlags& flags) {
    TrainRequest request;
    LoadRequest load{flags.config.files, flags.config.overrides};
    if (!flags.from.empty()) {
        if (flags.resume_given) {
            throw UsageError(
                "--from and --resume: --from starts a new run in --run-dir (and continues it if it exists); --resume "
                "continues a run; choose one of the two");
        }
        if (!flags.config.files.empty()) {
            throw UsageError(
                "--from takes the settings of the run that it starts from, so it cannot be combined with -c: give changed settings as key.sub=value");
        }
        if (flags.run_dir.empty()) throw UsageError("--from starts a new run: name its directory with --run-dir");
        const auto source = open_fork(flags.from, flags.run_dir);
        load.base = source.config;
        load.base_name = source.config_name;
        request.fork = source.fork;
    } else if (flags.config.files.empty()) {
        throw UsageError(
            "train: a configuration is needed: -c FILE, or --from RUN to start from another run's weights; see longbow train --help");
    }
    auto loaded = load_with_origins(load, registered_config_context());
    if (request.fork) check_fork_settings(loaded);
    request.config = std::move(loaded.config);
    request.origins = std::move(loaded.origins);
    request.run_dir = flags.run_dir.empty()
                          ? std::filesystem::path("runs") / std::filesystem::path(flags.config.files.back()).stem()
                          : std::filesystem::path(flags.run_dir);
    static const std::map<std::string, ResumeRule> rules{{"auto", ResumeRule::newest}, {"never", ResumeRule::never}};
    const auto rule = rules.find(flags.resume);
    request.resume = rule == rules.end() ? ResumeRule::named : rule->second;
    request.resume_from = flags.resume;
    return request;
}

void add_train(CLI::App& app, VerbContext& context) {
    auto flags = std::make_shared<TrainFlags>();
    auto* verb = add_verb(
        app, context, "train", "Train a model, or resume an interrupted run",
        "longbow train -c configs/demo/alibi.yaml\n"
        "  longbow train -c configs/demo/alibi.yaml train.length=128 --run-dir runs/alibi-128\n"
        "  longbow train --from runs/alibi@step=200 optim.lr=1e-4 \"train.stop=600 updates\" --run-dir runs/alibi-slow");
    add_config_arguments(verb, flags->config, /*required=*/false);
    add_rank_arguments(verb, flags->ranks);
    verb->add_option("--run-dir", flags->run_dir, "Directory of the run; default: runs/<name of the last config file>")
        ->check(output_folder())
        ->type_name("DIR");
    auto* resume =
        verb->add_option(
                "--resume", flags->resume,
                "auto: resume from the newest complete checkpoint of the run; never: refuse if it has any; or a CHECKPOINT")
            ->type_name("auto|never|CHECKPOINT")
            ->capture_default_str();
    verb->add_option(
            "--from", flags->from,
            "Start a new run from this one's weights, optimizer state and place in the data, with its settings except the "
            "overrides; RUN alone is its last checkpoint. Takes no -c, needs --run-dir")
        ->type_name("RUN[@last|@best|@step=N]");
    auto* dry_run = verb->add_flag("--dry-run", flags->dry_run,
                                   "Print what the run would take (parameters, updates, memory, FLOPs) and stop");
    verb->add_option(
            "--plan-device", flags->plan_device,
            "With --dry-run: plan the memory of this kind of device, which this machine need not have; default: --device")
        ->type_name("cpu|cuda")
        ->check(CLI::IsMember({"cpu", "cuda"}))
        ->needs(dry_run);
    run_with(verb, context, [flags, resume](const CommonOptions& common) {
        flags->resume_given = resume->count() > 0;
        auto request = request_of(*flags);
        request.threads = common.threads;
        const int ranks = planned_rank_count(flags->ranks);
        if (flags->dry_run) {
            request.plan_only = true;
            request.device = flags->plan_device.empty() ? resolve_device(common.device) : flags->plan_device;
            if (flags->plan_device.empty()) prepare_process(request.device);  // the plan times updates here
            check_request(request, ranks);
            std::cout << training_plan(request, ranks);
            return 0;
        }
        check_ranks(request, ranks);  // before they are started
        check_ranks_can_read(flags->ranks, flags->config.files);
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
