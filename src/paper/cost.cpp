// Estimates what the missing parts will cost, from stated throughputs: the paper's own measurements on a V100, or those
// of one CPU core for the demo.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "longbow/grid/cost.h"
#include "reproduce.h"

namespace longbow {

namespace {

constexpr double kDemoTrain = 12000, kDemoEval = 30000;  // tokens a second and core with the demo's model

// Returns the published training speed in words a second, at the nearest training length (Figure 7; rotary and T5 from
// Table 1).
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
    const bool drawn = speed > 0;
    for (std::size_t row = 0; row < table.rows.size() && !drawn; ++row) {
        const auto target = target_of(table, row, table.column("train_kwps"));
        if (target && target->method == method) consider(table.rows[row][1].value, table.rows[row][2].value * 1e3);
    }
    return speed;
}

// Returns the published evaluation speed in words a second, one window at a time, at the nearest length in Tables 2 to
// 4.
double paper_eval_speed(const std::string& method, std::int64_t length) {
    double speed = 15000, gap = INFINITY;
    for (const auto* name : {"table2", "table3", "table4"}) {
        const auto& table = published_table(name);
        const auto column = table.column(published_method(method) + "_wps");
        for (const auto& row : table.rows) {
            const double distance = std::abs(std::log(row[0].value / static_cast<double>(length)));
            if (row[column].kind != PublishedCell::Kind::number || distance >= gap) continue;
            gap = distance;
            speed = row[column].value;
        }
    }
    return speed;
}

// Returns the training hours of the CC100 models: Tables 11 and 12 print the GPU hours of 50,000 updates.
double cc100_hours(std::int64_t length) {
    const auto& table = published_table("table12");
    for (const auto& row : table.rows) {
        if (row[1].value == static_cast<double>(length)) return row[table.column("gpu_hours_k")].value * 1e3;
    }
    return 0;
}

double train_cost(const PlannedModel& model, const Scale& scale) {
    const double left = model.updates > 0
                            ? std::max(0.0, 1 - std::max<double>(0, static_cast<double>(model.done_updates)) /
                                                    static_cast<double>(model.updates))
                            : 1;
    if (scale.reduced()) return left * model.tokens / kDemoTrain;
    if (model.dataset == "cc100") return left * cc100_hours(model.train_length) * 3600;
    return left * model.tokens / paper_train_speed(model.method, model.train_length);
}

// With stride S, each window scores S targets but costs its whole length.
void eval_cost(PlannedEval& eval, const PlannedModel& model, const Scale& scale) {
    for (const auto length : eval.missing) {
        const double scored = scored_tokens(eval);
        const double forward =
            eval.stride == 0 ? scored : scored / static_cast<double>(eval.stride) * static_cast<double>(length);
        eval.forward_tokens += forward;
        // The 1.3-billion-parameter model multiplies by 5.6 times as many weights as the body of the WikiText-103
        // model.
        const double slower = model.dataset == "cc100" ? 5.6 : 1;
        eval.seconds +=
            scale.divisor == 1 ? forward * slower / paper_eval_speed(model.method, length) : forward / kDemoEval;
    }
}

}  // namespace

double split_tokens(const Scale& scale, const Target& target) {
    if (scale.reduced()) return target.split == "test" ? 136193 : 126124;
    if (target.dataset == "wikitext103") return target.split == "test" ? 245569 : 217646;
    return target.dataset == "cc100" ? 649000 : 250000;
}

void estimate_seconds(ReproducePlan& plan, const Scale& scale) {
    for (auto& model : plan.models) {
        model.train_seconds = train_cost(model, scale);
        for (auto* evals : {&model.early, &model.evals}) {
            for (auto& eval : *evals) eval_cost(eval, model, scale);
        }
    }
    plan.assumption =
        scale.divisor == 1
            ? "GPU hours of one V100, by the paper's own speeds: training from Figure 7 and Table 1 (nearest length), the "
              "1.3B models from Table 12, "
              "evaluation from Tables 2 to 4. BookCorpus: as many tokens as WikiText-103 (the paper does not say), splits of 250,000 tokens."
            : fmt::format("core hours, by {:.0f} trained and {:.0f} evaluated tokens a second and core.", kDemoTrain,
                          kDemoEval);
}

}  // namespace longbow
