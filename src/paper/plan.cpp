// Plans which models the tables and figures need, how each is trained, and which evaluations it needs.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "longbow/config/options.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/strings.h"
#include "longbow/grid/cost.h"
#include "longbow/paper/lookup.h"
#include "reproduce.h"

namespace longbow {

namespace {

constexpr double kPaperUpdates = 50000;             // of the CC100 models; Table 11 has two of them at an earlier stop
constexpr std::int64_t kDemoTokensAnUpdate = 1536;  // a multiple of every length of the demo

std::string model_name(const Scale& scale, const Target& target) {
    const auto folder = scale.divisor == 1 ? target.dataset : scale.name;
    return folder + "/" + target.method + "-" + std::to_string(scale.length(target.train_length));
}

bool has_option(const ConfigContext& context, const std::string& method, const std::string& key) {
    for (const auto& variant : context.position_methods) {
        if (variant.name != method) continue;
        return std::any_of(variant.options.begin(), variant.options.end(),
                           [&](const OptionSpec& option) { return option.key == key; });
    }
    return false;
}

PlannedModel make_model(const ReproduceRequest& request, const Target& target) {
    const auto& scale = request.scale;
    PlannedModel model;
    model.name = model_name(scale, target);
    model.dataset = target.dataset;
    const bool other_data = std::any_of(request.overrides.begin(), request.overrides.end(),
                                        [](const std::string& change) { return starts_with(change, "data."); });
    if (!other_data) model.data_set = scale.data_set(target);
    model.method = target.method;
    model.train_length = target.train_length;
    // At the paper's scale even a part of a model takes seconds, so one model of each data set is timed. In the demo,
    // evaluations of single short windows make up much of the time, so one model of each method is timed.
    model.timed_as = scale.divisor == 1 ? target.dataset : target.method;
    if (scale.divisor == 1) {
        model.files = {
            (request.configs / target.dataset / (target.method + "-" + std::to_string(target.train_length) + ".yaml"))
                .string()};
    } else {
        const auto length = scale.length(target.train_length);
        model.files = {(request.configs / scale.name / "paper.yaml").string()};
        model.overrides = {"position.method=" + target.method, fmt::format("train.length={}", length),
                           fmt::format("train.batch={}", kDemoTokensAnUpdate / length),
                           fmt::format("eval.lengths=[{}, {}]", length, 2 * length)};
    }
    // A bias is a slope times a distance. Where lengths are divided, slopes are multiplied by the same number;
    // otherwise the head with the smallest slope would hardly distinguish distances within the shortest inputs.
    if (scale.reduced() && has_option(request.context, target.method, "slope_scale"))
        model.overrides.push_back(fmt::format("position.slope_scale={}", scale.divisor));
    if (!fs::exists(model.files.front())) {
        throw UsageError(
            model.files.front() +
            ": no such config file; run from the top of the checkout, or name its configs folder with --configs");
    }
    model.overrides.insert(model.overrides.end(), request.overrides.begin(), request.overrides.end());
    load_planned(model, request.context);
    if (!model.config.train.seeds.empty()) {
        throw UsageError(
            "train.seeds: longbow reproduce trains each model once; take train.seed=N and a --run-dir of its own for each seed");
    }
    return model;
}

PlannedEval eval_of(const Scale& scale, const Target& target) {
    PlannedEval eval;
    eval.file = measurement_file(target);
    eval.split = target.split;
    eval.stride = target.stride == 0 ? 0 : scale.stride(target);
    eval.stream_tokens = scale.stream_tokens(target);
    eval.split_tokens = split_tokens(scale, target);
    // The paper's evaluation has one window a pass, and its speeds were measured like that. Windows shorter than those
    // of the speed tables, and windows of stride 1, go in batches, since one at a time they would only take longer.
    eval.one_at_a_time = target.stride != 1 && target.quantity != Quantity::batched_eval_speed && target.length >= 512;
    return eval;
}

void add_eval(std::vector<PlannedEval>& evals, const Scale& scale, const Target& target) {
    add_eval(evals, eval_of(scale, target), scale.length(target.length));
}

PlannedModel& model_for(std::vector<PlannedModel>& models, const ReproduceRequest& request, const Target& target) {
    const auto name = model_name(request.scale, target);
    const auto found =
        std::find_if(models.begin(), models.end(), [&](const PlannedModel& model) { return model.name == name; });
    return found != models.end() ? *found : models.emplace_back(make_model(request, target));
}

// Adds Table 11's early stops. They lie on the training of models that other tables need too and cannot be measured
// later, so they are always planned.
void add_early_stops(std::vector<PlannedModel>& models, const Scale& scale) {
    const auto& table = published_table("table11");
    for (std::size_t row = 0; row < table.rows.size(); ++row) {
        for (std::size_t column = 0; column < table.columns.size(); ++column) {
            const auto target = target_of(table, row, column);
            if (!target || target->after_updates == 0 || target->length == 0) continue;
            const auto name = model_name(scale, *target);
            for (auto& model : models) {
                if (model.name != name) continue;
                model.early_updates =
                    std::llround(static_cast<double>(model.updates) * target->after_updates / kPaperUpdates);
                add_eval(model.early, scale, *target);
            }
        }
    }
}

}  // namespace

ReproducePlan plan_reproduction(const ReproduceRequest& request) {
    const auto goals = goals_of(request.names, request.scale);
    ReproducePlan plan;
    plan.tables = goals.tables;
    plan.figures = goals.figures;
    for (const auto& target : goals.targets) {
        auto& model = model_for(plan.models, request, target);
        if (target.length > 0 && target.after_updates == 0) add_eval(model.evals, request.scale, target);
    }
    for (const auto& target : goals.trained) model_for(plan.models, request, target);
    add_early_stops(plan.models, request.scale);
    for (auto& model : plan.models) {
        // Training quantities are found by way of the model's rows, so every model is evaluated at least at its own
        // length.
        if (std::none_of(model.evals.begin(), model.evals.end(),
                         [](const PlannedEval& eval) { return eval.file == "results.jsonl"; })) {
            Target own{
                model.dataset, model.method, model.train_length, Quantity::ppl, model.train_length, 0, "valid", 0};
            add_eval(model.evals, request.scale, own);
        }
        find_done(model, request);
    }
    warn_of_unreached(plan);
    count_flops(plan);
    estimate_seconds(plan, request.scale);
    if (request.meter && plan.seconds() > 0) measure_costs(plan, request);
    return plan;
}

std::string plan_text(const ReproducePlan& plan, const ReproduceRequest& request) {
    std::string text;
    const auto banner = request.scale.banner();
    if (!banner.empty()) text += banner + "\n\n";
    auto names = plan.tables;
    names.insert(names.end(), plan.figures.begin(), plan.figures.end());
    const auto done =
        std::count_if(plan.models.begin(), plan.models.end(), [](const PlannedModel& model) { return model.done(); });
    text += join(names, ", ") + " in " + request.run_dir.string() +
            fmt::format(": {} models, {} of them done\n\n", plan.models.size(), done);
    return text + models_text(plan, request);
}

}  // namespace longbow
