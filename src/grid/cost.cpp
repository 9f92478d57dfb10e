#include "longbow/grid/cost.h"

#include <algorithm>
#include <map>

#include "longbow/model/flops.h"
#include "longbow/task/task.h"

namespace longbow {

namespace {

// A forward pass through a small model has a fixed cost whatever it computes. It takes about as long as this many
// FLOPs.
constexpr double kPassFlops = 1e8;
constexpr double kBatchTokens = 16384;  // tokens of a forward pass of `longbow eval`
double passes(const PlannedEval& eval, double scored, std::int64_t length) {
    const auto windows = scored / static_cast<double>(eval.stride == 0 ? length : std::min(eval.stride, length));
    return eval.one_at_a_time ? windows : windows * static_cast<double>(length) / kBatchTokens;
}

double eval_flops(const PlannedEval& eval, const ForwardFlops& forward, std::int64_t length) {
    const auto stride = eval.stride == 0 ? length : std::min(eval.stride, length);
    return scored_tokens(eval) / static_cast<double>(stride) * forward.window(length, stride);
}

double probe_flops(const PlannedProbe& probe, const ForwardFlops& forward, std::size_t length) {
    const auto mean = static_cast<double>(probe.tokens[length]) * probe.mean_share;
    const auto tokens = std::max<std::int64_t>(1, static_cast<std::int64_t>(mean));
    return static_cast<double>(probe.items) * forward.window(tokens, tokens);
}

TimedEval kind_of(const PlannedEval& eval, std::int64_t length) {
    return {length, eval.stride == 0 ? length : std::min(eval.stride, length), eval.one_at_a_time};
}
TimedEval kind_of(const PlannedProbe& probe, std::size_t length) {
    return {probe.tokens[length], probe.tokens[length], false};
}

double updates_left(const PlannedModel& model) {
    return static_cast<double>(
        std::max<std::int64_t>(0, model.updates - std::max<std::int64_t>(0, model.done_updates)));
}

double local_seconds(const GridPlan& plan, const GridRequest& request) {
    std::map<std::string, std::set<TimedEval>> timed;  // the evaluations to be timed, for each group of models
    for (const auto& model : plan.models) {
        if (model.done()) continue;
        auto& kinds = timed[model.timed_as];
        for (const auto* evals : {&model.early, &model.evals}) {
            for (const auto& eval : *evals) {
                for (const auto length : eval.missing) kinds.insert(kind_of(eval, length));
            }
        }
        for (const auto& probe : model.probes) {
            for (std::size_t i = 0; probe.missing && i < probe.tokens.size(); ++i) kinds.insert(kind_of(probe, i));
        }
    }
    std::map<std::string, std::map<TimedEval, double>> speeds;
    std::map<std::string, double> flop_seconds;  // of training, by group
    double seconds = 0;
    for (const auto& model : plan.models) {
        if (model.done()) continue;
        const auto& group = model.timed_as;
        const ForwardFlops forward(model.config, assumed_vocab_size(model.config));
        const std::vector<TimedEval> kinds(timed[group].begin(), timed[group].end());
        if (flop_seconds.count(group) == 0) {
            const auto speed = request.meter(model.config, assumed_vocab_size(model.config), kinds);
            flop_seconds[group] =
                speed.update_seconds / (3 * tokens_per_update(model.config) * forward.token(model.config.train.length));
            for (std::size_t i = 0; i < kinds.size(); ++i) speeds[group][kinds[i]] = speed.evaluation[i];
        }
        seconds += model.train_flops * flop_seconds[group];
        for (const auto* evals : {&model.early, &model.evals}) {
            for (const auto& eval : *evals) {
                for (const auto length : eval.missing)
                    seconds += eval_flops(eval, forward, length) * speeds[group][kind_of(eval, length)];
            }
        }
        for (const auto& probe : model.probes) {
            for (std::size_t i = 0; probe.missing && i < probe.tokens.size(); ++i)
                seconds += probe_flops(probe, forward, i) * speeds[group][kind_of(probe, i)];
        }
    }
    return seconds / std::max(1, request.jobs);
}

}  // namespace

std::int64_t assumed_vocab_size(const Config& config) {
    if (config.task.chosen()) return make_task(config.task)->vocab_size();
    const auto expected = config.data.expect_vocab_size;
    return expected > 0 ? expected : std::max<std::int64_t>(1, config.tokenizer.vocab_size);
}

double scored_tokens(const PlannedEval& eval) {
    return eval.stream_tokens > 0 ? std::min(eval.split_tokens, static_cast<double>(eval.stream_tokens))
                                  : eval.split_tokens;
}

void count_flops(GridPlan& plan) {
    for (auto& model : plan.models) {
        const ForwardFlops forward(model.config, assumed_vocab_size(model.config));
        model.train_flops =
            3 * updates_left(model) * tokens_per_update(model.config) * forward.token(model.config.train.length);
        for (auto* evals : {&model.early, &model.evals}) {
            for (auto& eval : *evals) {
                for (const auto length : eval.missing)
                    eval.flops +=
                        eval_flops(eval, forward, length) + kPassFlops * passes(eval, scored_tokens(eval), length);
            }
        }
        for (auto& probe : model.probes) {
            for (std::size_t i = 0; probe.missing && i < probe.tokens.size(); ++i)
                probe.flops += probe_flops(probe, forward, i) +
                               kPassFlops * static_cast<double>(probe.items * probe.tokens[i]) / kBatchTokens;
        }
    }
}

void measure_costs(GridPlan& plan, const GridRequest& request) {
    try {
        plan.local_seconds = local_seconds(plan, request);
    } catch (const std::exception& error) {  // LibTorch's errors too, such as a type that this machine cannot multiply
        const std::string why = error.what();
        plan.local_problem = why.substr(0, why.find('\n'));
    }
}

}  // namespace longbow
