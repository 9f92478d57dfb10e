// longbow bench: measures how fast this build is on this machine. scripts/bench runs the same work with other programs
// beside it.
#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "bench_attention.h"
#include "longbow/config/context.h"
#include "longbow/config/load.h"
#include "longbow/core/json.h"
#include "longbow/core/strings.h"
#include "longbow/train/update_timer.h"
#include "operator_profile.h"
#include "verbs.h"
#include "whole_number.h"

namespace longbow {

namespace {

struct BenchTrainFlags {
    ConfigArguments config;
    int steps = 7;
    int warmup = 3;
    bool json = false;
    bool serve = false;
    bool profile = false;
};

// After "ready", each line on stdin asks for one update and is answered by its milliseconds. So a driver that asks two
// programs in turns compares them under the same load.
void serve_steps(UpdateTimer& timer) {
    std::cout << "ready" << std::endl;
    for (std::string line; std::getline(std::cin, line);) std::cout << timer.step() * 1e3 << std::endl;
}

// Prints each operator's least time over the updates. The minimum leaves out most of the load that other programs cause
// at times.
void print_profile(UpdateTimer& timer, int updates) {
    constexpr std::size_t kRows = 40;
    std::map<std::string, OperatorTime> least;
    for (int i = 0; i < updates; ++i) {
        for (const auto& time : operator_profile([&] { timer.step(); })) {
            const auto [known, first] = least.try_emplace(time.name, time);
            if (!first && time.seconds < known->second.seconds) known->second = time;
        }
    }
    std::vector<OperatorTime> times;
    double all = 0;
    for (auto& [name, time] : least) {
        all += time.seconds;
        times.push_back(std::move(time));
    }
    std::sort(times.begin(), times.end(), [](const auto& a, const auto& b) { return a.seconds > b.seconds; });
    std::cout << "ms an update  calls  operator\n";
    for (std::size_t i = 0; i < std::min(times.size(), kRows); ++i) {
        std::cout << fmt::format("{:>12.3f}  {:5}  {}\n", times[i].seconds * 1e3, times[i].calls, times[i].name);
    }
    std::cout << fmt::format("{:>12.3f}         all operators, each at its least of {} updates\n", all * 1e3, updates);
}

int bench_train(const BenchTrainFlags& flags, const CommonOptions& common) {
    TrainRequest request;
    auto loaded = load_with_origins({flags.config.files, flags.config.overrides}, registered_config_context());
    request.config = std::move(loaded.config);
    request.origins = std::move(loaded.origins);
    request.run_dir = "bench";  // only used in messages
    request.device = resolve_device(common.device);
    prepare_process(request.device);
    request.threads = common.threads;
    UpdateTimer timer(request);
    for (int i = 0; i < flags.warmup; ++i) timer.step();
    if (flags.serve) {
        serve_steps(timer);
        return 0;
    }
    if (flags.profile) {
        print_profile(timer, flags.steps);
        return 0;
    }
    std::vector<double> seconds;
    for (int i = 0; i < flags.steps; ++i) seconds.push_back(timer.step());
    std::sort(seconds.begin(), seconds.end());
    const double median = seconds[seconds.size() / 2];
    if (flags.json) {
        const Json row{{"benchmark", "train"},
                       {"device", request.device},
                       {"threads", common.threads},
                       {"gemm_library", timer.gemm_library()},
                       {"tokens_per_update", timer.tokens_per_update()},
                       {"updates", seconds.size()},
                       {"seconds_min", seconds.front()},
                       {"seconds_median", median},
                       {"seconds_max", seconds.back()}};
        std::cout << row.dump() << "\n";
    } else {
        std::cout << fmt::format(
            "{:.1f} ms an update at least (median {:.1f}, {} updates), {} tokens/s, gemm {}, {} threads\n",
            seconds.front() * 1e3, median * 1e3, seconds.size(),
            human_count(timer.tokens_per_update() / seconds.front()), timer.gemm_library(), common.threads);
    }
    return 0;
}

void add_bench(CLI::App& app, VerbContext& context) {
    auto* group = add_verb_group(app, "bench", "Measure the speed of this build on this machine",
                                 "longbow bench train -c configs/demo/alibi.yaml");
    auto flags = std::make_shared<BenchTrainFlags>();
    auto* verb = add_verb(*group, context, "train", "Time training updates of a configuration; nothing is kept",
                          "longbow bench train -c configs/demo/alibi.yaml --steps 7 --threads 1");
    add_config_arguments(verb, flags->config);
    verb->add_option("--steps", flags->steps, "Updates to time")
        ->check(whole_number(1, 1000000))
        ->capture_default_str();
    verb->add_option("--warmup-steps", flags->warmup, "Updates before the first timed one")
        ->check(whole_number(0, 1000000))
        ->capture_default_str();
    verb->add_flag("--json", flags->json, "One line of JSON");
    verb->add_flag("--serve", flags->serve,
                   "One update for each line on stdin, answered by its milliseconds (for scripts/bench)");
    verb->add_flag("--profile", flags->profile, "Where the time of an update goes on CPU: operators by their own time")
        ->excludes("--serve")
        ->excludes("--json");
    run_with(verb, context, [flags](const CommonOptions& common) { return bench_train(*flags, common); });
    add_bench_attention(*group, context);
}

LONGBOW_REGISTER_VERB(110, add_bench);

}  // namespace

}  // namespace longbow
