// What the missing parts will cost, by a throughput that is said: the paper's own measurements on a V100, or a core's in the demo.
#include <algorithm>
#include <cmath>
#include <map>

#include "longbow/core/strings.h"
#include "longbow/model/flops.h"
#include "reproduce.h"

namespace longbow {

namespace {

constexpr double kDemoTrain = 12000, kDemoEval = 30000;  // tokens a second and core through the demo's model

// Tokens of the splits that the paper reports; BookCorpus' are not published.
double split_tokens(const std::string& dataset, const std::string& split) {
    if (dataset == "wikitext103") return split == "test" ? 245569 : 217646;
    return dataset == "cc100" ? 649000 : 250000;
}

// The published words a second of training at the nearest training length (Figure 7; rotary and T5 from Table 1).
double paper_train_speed(const std::string& method, std::int64_t length) {
    double speed = 0, gap = INFINITY;
    const auto consider = [&](double at, double value) {
        const double distance = std::abs(std::log(at / static_cast<double>(length)));
        if (distance < gap) {
            gap = distance;
            speed = value;
        }
    };
    for (const auto& curve : published_figure("figure7").curves) {
        if (curve.name != method) continue;
        for (const auto& point : curve.points) consider(point[0], point[1]);
    }
    const auto& table = published_table("table1");
    for (std::size_t row = 0; row < table.rows.size() && (method == "rotary" || method == "t5"); ++row) {
        const auto target = target_of(table, row, table.column("train_kwps"));
        if (target && target->method == method) consider(table.rows[row][1].value, table.rows[row][2].value * 1e3);
    }
    return speed;
}

// Words a second of evaluation, one window at a time, at the nearest length in Tables 2 to 4.
double paper_eval_speed(const std::string& method, std::int64_t length) {
    double speed = 15000, gap = INFINITY;
    for (const auto* name : {"table2", "table3", "table4"}) {
        const auto& table = published_table(name);
        const auto column = table.column((method == "t5" ? "t5_bias" : method) + "_wps");
        for (const auto& row : table.rows) {
            const double distance = std::abs(std::log(row[0].value / static_cast<double>(length)));
            if (row[column].kind != PublishedCell::Kind::number || distance >= gap) continue;
            gap = distance;
            speed = row[column].value;
        }
    }
    return speed;
}

// Tables 11 and 12 print the GPU hours of 50,000 updates.
double cc100_hours(std::int64_t length) {
    const auto& table = published_table("table12");
    for (const auto& row : table.rows) {
        if (row[1].value == static_cast<double>(length)) return row[table.column("gpu_hours_k")].value * 1e3;
    }
    return 0;
}

double train_cost(const PlannedModel& model, const Scale& scale) {
    const double left =
        model.updates > 0
            ? std::max(0.0, 1 - std::max<double>(0, static_cast<double>(model.done_updates)) / static_cast<double>(model.updates))
            : 1;
    if (scale.divisor != 1) return left * model.tokens / kDemoTrain;
    if (model.dataset == "cc100") return left * cc100_hours(model.train_length) * 3600;
    return left * model.tokens / paper_train_speed(model.method, model.train_length);
}

std::int64_t vocab_size(const PlannedModel& model) {
    const auto expected = model.config.data.expect_vocab_size;
    return expected > 0 ? expected : std::max<std::int64_t>(1, model.config.tokenizer.vocab_size);
}

// Tokens of which an evaluation scores each once.
double scored_tokens(const PlannedEval& eval, const PlannedModel& model, const Scale& scale) {
    const double split = scale.divisor == 1 ? split_tokens(model.dataset, eval.split) : eval.split == "test" ? 136193 : 126124;
    return eval.stream_tokens > 0 ? std::min(split, static_cast<double>(eval.stream_tokens)) : split;
}

// A forward pass through a small model takes its time whatever it computes: about as much as so many FLOPs.
constexpr double kPassFlops = 1e8;
constexpr double kBatchTokens = 16384;  // of a pass of `longbow eval`
double passes(const PlannedEval& eval, double scored, std::int64_t length) {
    const auto windows = scored / static_cast<double>(eval.stride == 0 ? length : std::min(eval.stride, length));
    return eval.one_at_a_time ? windows : windows * static_cast<double>(length) / kBatchTokens;
}

double eval_flops(const PlannedEval& eval, const PlannedModel& model, const Scale& scale, std::int64_t length) {
    const ForwardFlops forward(model.config, model_sizes(model.config, vocab_size(model)));
    const auto stride = eval.stride == 0 ? length : std::min(eval.stride, length);
    return scored_tokens(eval, model, scale) / static_cast<double>(stride) * forward.window(length, stride);
}

// A window of stride S costs its whole length.
void eval_cost(PlannedEval& eval, const PlannedModel& model, const Scale& scale) {
    for (const auto length : eval.missing) {
        const double scored = scored_tokens(eval, model, scale);
        eval.flops += eval_flops(eval, model, scale, length) + kPassFlops * passes(eval, scored, length);
        const double forward = eval.stride == 0 ? scored : scored / static_cast<double>(eval.stride) * static_cast<double>(length);
        eval.forward_tokens += forward;
        // The 1.3-billion-parameter model multiplies 5.6 times the weights of the WikiText-103 model's body.
        const double slower = model.dataset == "cc100" ? 5.6 : 1;
        eval.seconds += scale.divisor == 1 ? forward * slower / paper_eval_speed(model.method, length) : forward / kDemoEval;
    }
}

double updates_left(const PlannedModel& model) {
    return static_cast<double>(std::max<std::int64_t>(0, model.updates - std::max<std::int64_t>(0, model.done_updates)));
}

// Models of one data set are alike but for their method and length: at the paper's scale, where even a part of one takes seconds, one of each
// set is timed; in the demo, where evaluations of single short windows weigh much, one of each method.
double local_seconds(const ReproducePlan& plan, const ReproduceRequest& request) {
    const auto group_of = [&](const PlannedModel& model) { return request.scale.divisor == 1 ? model.dataset : model.method; };
    std::map<std::string, std::set<TimedEval>> timed;  // what each group has to do
    const auto kind_of = [](const PlannedEval& eval, std::int64_t length) {
        return TimedEval{length, eval.stride == 0 ? length : std::min(eval.stride, length), eval.one_at_a_time};
    };
    for (const auto& model : plan.models) {
        if (model.done()) continue;
        auto& kinds = timed[group_of(model)];
        for (const auto* evals : {&model.early, &model.evals}) {
            for (const auto& eval : *evals) {
                for (const auto length : eval.missing) kinds.insert(kind_of(eval, length));
            }
        }
    }
    std::map<std::string, std::map<TimedEval, double>> speeds;
    std::map<std::string, double> flop_seconds;  // of training
    double seconds = 0;
    for (const auto& model : plan.models) {
        if (model.done()) continue;
        const auto group = group_of(model);
        const std::vector<TimedEval> kinds(timed[group].begin(), timed[group].end());
        if (flop_seconds.count(group) == 0) {
            const auto speed = request.meter(model.config, vocab_size(model), kinds);
            const ForwardFlops forward(model.config, model_sizes(model.config, vocab_size(model)));
            flop_seconds[group] = speed.update_seconds / (3 * tokens_per_update(model.config) * forward.token(model.config.train.length));
            for (std::size_t i = 0; i < kinds.size(); ++i) speeds[group][kinds[i]] = speed.evaluation[i];
        }
        seconds += model.train_flops * flop_seconds[group];
        for (const auto* evals : {&model.early, &model.evals}) {
            for (const auto& eval : *evals) {
                for (const auto length : eval.missing)
                    seconds += eval_flops(eval, model, request.scale, length) * speeds[group][kind_of(eval, length)];
            }
        }
    }
    return seconds / std::max(1, request.jobs);
}

}  // namespace

void estimate_costs(ReproducePlan& plan, const Scale& scale) {
    for (auto& model : plan.models) {
        model.train_seconds = train_cost(model, scale);
        const ForwardFlops forward(model.config, model_sizes(model.config, vocab_size(model)));
        model.train_flops = 3 * updates_left(model) * tokens_per_update(model.config) * forward.token(model.config.train.length);
        for (auto* evals : {&model.early, &model.evals}) {
            for (auto& eval : *evals) eval_cost(eval, model, scale);
        }
    }
    plan.assumption = scale.divisor == 1
                          ? "GPU hours of one V100, by the paper's own speeds: training from Figure 7 and Table 1 (nearest length), the "
                            "1.3B models from Table 12, "
                            "evaluation from Tables 2 to 4. BookCorpus: as many tokens as WikiText-103 (the paper does not say), splits of "
                            "250,000 tokens."
                          : strprintf("core hours, by %.0f trained and %.0f evaluated tokens a second and core.", kDemoTrain, kDemoEval);
}

void measure_costs(ReproducePlan& plan, const ReproduceRequest& request) {
    try {
        plan.local_seconds = local_seconds(plan, request);
    } catch (const std::exception& error) {  // LibTorch's too: a type that this machine has no product for
        const std::string why = error.what();
        plan.local_problem = why.substr(0, why.find('\n'));
    }
}

}  // namespace longbow
