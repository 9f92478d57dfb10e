#include "bench_eval.h"

#include <fmt/core.h>

#include <iostream>
#include <memory>
#include <utility>

#include "bench_steps.h"
#include "eval_flags.h"
#include "longbow/config/context.h"
#include "longbow/core/error.h"
#include "longbow/core/json.h"
#include "longbow/core/strings.h"
#include "longbow/eval/measure.h"
#include "longbow/model/linear.h"
#include "longbow/telemetry/progress.h"
#include "whole_number.h"

namespace longbow {

namespace {

constexpr const char* kPass = "evaluation";

struct BenchEvalFlags {
    MeasureRequest request;
    EvalRequest evaluation;
    StepFlags steps;
};

// Is the evaluation that each step repeats, from the first window on. Loading the model is not a part of it.
class RepeatedEvaluation {
public:
    RepeatedEvaluation(const MeasureRequest& request) : plan_(request, /*warns=*/true) {
        if (plan_.runs().size() != 1)
            throw UsageError("longbow bench eval times one checkpoint, and " + std::to_string(plan_.runs().size()) +
                             " are named");
        auto& planned = plan_.runs().front();
        model_ = &model_on_device(planned.run, request.device);
    }

    // Returns the seconds that the windows take.
    double step() {
        const RateMeter meter;
        nll_ = mean_nll(evaluate_tokens(*model_, *plan_.runs().front().stream, plan()));
        return meter.elapsed();
    }

    [[nodiscard]] const EvalPlan& plan() { return *plan_.runs().front().rows.front().plan; }
    // The input tokens that go through the model in a step.
    [[nodiscard]] std::int64_t inputs() {
        std::int64_t inputs = 0;
        for (const auto& window : forward_windows(*model_, plan().windows)) inputs += window.end - window.begin;
        return inputs;
    }
    [[nodiscard]] double nll() const { return nll_; }  // of the last step, nats a token

private:
    MeasurePlan plan_;
    LanguageModel* model_;
    double nll_ = 0;
};

int bench_eval(BenchEvalFlags flags, const CommonOptions& common) {
    auto& request = flags.request;
    check_one_text(request, "longbow bench eval");
    take_model_overrides(request);
    request.evaluations = {flags.evaluation};
    request.device = resolve_device(common.device);
    request.threads = common.threads;
    prepare_process(request.device);
    RepeatedEvaluation evaluation(request);
    run_steps(
        flags.steps, kPass, [&] { return evaluation.step(); },
        [&](const StepTimes& times) {
            const auto inputs = static_cast<double>(evaluation.inputs());
            if (flags.steps.json) {
                const Json row{{"benchmark", "eval"},
                               {"device", request.device},
                               {"threads", common.threads},
                               {"dtype", name_of(evaluation.plan().request.dtype)},
                               {"gemm_library", to_string(gemm_library())},
                               {"input_tokens", evaluation.inputs()},
                               {"scored_tokens", evaluation.plan().scored()},
                               {"nll", evaluation.nll()},
                               {"evaluations", times.seconds.size()},
                               {"seconds_min", times.least()},
                               {"seconds_median", times.median()},
                               {"seconds_max", times.seconds.back()}};
                std::cout << row.dump() << "\n";
            } else {
                std::cout << fmt::format(
                    "{:.1f} ms an evaluation of {} input tokens at least (median {:.1f}, {} evaluations), {} tokens/s, gemm "
                    "{}, {} threads\n",
                    times.least() * 1e3, with_commas(evaluation.inputs()), times.median() * 1e3, times.seconds.size(),
                    human_count(inputs / times.least()), to_string(gemm_library()), common.threads);
            }
        });
    return 0;
}

}  // namespace

void add_bench_eval(CLI::App& group, VerbContext& context) {
    auto flags = std::make_shared<BenchEvalFlags>();
    auto* verb = add_verb(
        group, context, "eval", "Time the evaluation of a checkpoint at a length; nothing is kept",
        "longbow bench eval runs/smollm2 --ids ids.npy --protocol hf --length 2048 --max-stream-tokens 8192 --dtype bf16");
    auto& request = flags->request;
    auto& evaluation = flags->evaluation;
    verb->add_option(
            "CHECKPOINT", request.checkpoints,
            "One checkpoint, as `longbow eval` takes it; position.KEY=VALUE and attention.KEY=VALUE change these "
            "settings")
        ->required();
    add_text_flags(verb, request);
    verb->add_option("--length", evaluation.length, "Tokens of a window")
        ->required()
        ->check(whole_number())
        ->type_name("L");
    add_window_flags(verb, evaluation);
    add_model_flags(verb, request.model, evaluation);
    add_step_flags(verb, flags->steps, kPass);
    run_with(verb, context, [flags](const CommonOptions& common) { return bench_eval(*flags, common); });
}

}  // namespace longbow
