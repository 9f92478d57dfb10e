// longbow bench: measures how fast this build is on this machine. scripts/bench runs the same work with other programs
// beside it.
#include <fmt/core.h>

#include <iostream>
#include <memory>
#include <utility>

#include "bench_attention.h"
#include "bench_eval.h"
#include "bench_steps.h"
#include "longbow/config/context.h"
#include "longbow/config/load.h"
#include "longbow/core/json.h"
#include "longbow/core/strings.h"
#include "longbow/train/update_timer.h"
#include "verbs.h"

namespace longbow {

namespace {

constexpr const char* kUpdate = "update";

struct BenchTrainFlags {
    ConfigArguments config;
    StepFlags steps;
};

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
    run_steps(
        flags.steps, kUpdate, [&] { return timer.step(); },
        [&](const StepTimes& times) {
            if (flags.steps.json) {
                const Json row{{"benchmark", "train"},
                               {"device", request.device},
                               {"threads", common.threads},
                               {"gemm_library", timer.gemm_library()},
                               {"tokens_per_update", timer.tokens_per_update()},
                               {"updates", times.seconds.size()},
                               {"seconds_min", times.least()},
                               {"seconds_median", times.median()},
                               {"seconds_max", times.seconds.back()}};
                std::cout << row.dump() << "\n";
            } else {
                std::cout << fmt::format(
                    "{:.1f} ms an update at least (median {:.1f}, {} updates), {} tokens/s, gemm {}, {} threads\n",
                    times.least() * 1e3, times.median() * 1e3, times.seconds.size(),
                    human_count(timer.tokens_per_update() / times.least()), timer.gemm_library(), common.threads);
            }
        });
    return 0;
}

void add_bench(CLI::App& app, VerbContext& context) {
    auto* group = add_verb_group(app, "bench", "Measure the speed of this build on this machine",
                                 "longbow bench train -c configs/demo/alibi.yaml");
    auto flags = std::make_shared<BenchTrainFlags>();
    auto* verb = add_verb(*group, context, "train", "Time training updates of a configuration; nothing is kept",
                          "longbow bench train -c configs/demo/alibi.yaml --steps 7 --threads 1");
    add_config_arguments(verb, flags->config);
    add_step_flags(verb, flags->steps, kUpdate);
    run_with(verb, context, [flags](const CommonOptions& common) { return bench_train(*flags, common); });
    add_bench_eval(*group, context);
    add_bench_attention(*group, context);
}

LONGBOW_REGISTER_VERB(110, add_bench);

}  // namespace

}  // namespace longbow
