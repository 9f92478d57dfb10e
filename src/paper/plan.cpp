// The plan: models with their trainings and evaluations, and what of them is there already.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/json.h"
#include "longbow/core/json_text.h"
#include "longbow/core/strings.h"
#include "longbow/eval/eval_result.h"
#include "longbow/telemetry/log.h"
#include "reproduce.h"

namespace longbow {

namespace {

constexpr double kPaperUpdates = 50000;             // of the CC100 models, on whose way Table 11 stops two
constexpr std::int64_t kDemoTokensAnUpdate = 1536;  // a multiple of every length of the demo

std::string model_name(const Scale& scale, const Target& target) {
    const auto folder = scale.divisor == 1 ? target.dataset : scale.name;
    return folder + "/" + target.method + "-" + std::to_string(scale.length(target.train_length));
}

PlannedModel make_model(const ReproduceRequest& request, const Target& target) {
    const auto& scale = request.scale;
    PlannedModel model;
    model.name = model_name(scale, target);
    model.dataset = target.dataset;
    model.method = target.method;
    model.train_length = target.train_length;
    if (scale.divisor == 1) {
        model.files = {(request.configs / target.dataset / (target.method + "-" + std::to_string(target.train_length) + ".yaml")).string()};
    } else {
        const auto length = scale.length(target.train_length);
        model.files = {(request.configs / scale.name / "paper.yaml").string()};
        model.overrides = {"position.method=" + target.method, strprintf("train.length=%lld", static_cast<long long>(length)),
                           strprintf("train.batch=%lld", static_cast<long long>(kDemoTokensAnUpdate / length)),
                           strprintf("eval.lengths=[%lld, %lld]", static_cast<long long>(length), static_cast<long long>(2 * length))};
    }
    // A bias is a slope times a distance: where lengths are divided, slopes are multiplied, or the flattest would see no difference at all
    // within the shortest inputs.
    if (scale.divisor != 1 && target.method == "alibi")
        model.overrides.push_back(strprintf("position.slope_scale=%d", static_cast<int>(scale.divisor)));
    if (!fs::exists(model.files.front())) {
        throw UsageError(model.files.front() +
                         ": no such config file; run from the top of the checkout, or name its configs folder with --configs");
    }
    model.overrides.insert(model.overrides.end(), request.overrides.begin(), request.overrides.end());
    model.config = load_config({model.files, model.overrides}, request.context);
    if (!model.config.train.seeds.empty()) {
        throw UsageError(
            "train.seeds: longbow reproduce trains each model once; take train.seed=N and a --run-dir of its own for each seed");
    }
    const double an_update = tokens_per_update(model.config);
    model.updates = model.config.train.stop.updates(an_update, static_cast<double>(model.config.data.expect_train_tokens) / an_update);
    model.tokens = static_cast<double>(model.updates) * an_update;
    return model;
}

// The update at which the newest checkpoint was saved, as train.stop counts them; -1: none.
std::int64_t saved_updates(const fs::path& run, const Config& config) {
    const auto link = run / "checkpoints" / "last";
    std::error_code error;
    const auto name = fs::read_symlink(link, error).filename().string();
    if (error || !starts_with(name, "step-") || !fs::exists(link / "manifest.json")) return -1;
    const auto updates = std::stoll(name.substr(5));
    if (config.train.count_skipped) return updates;
    const auto state = parse_json(read_file(link / "state.json"));
    return updates - (state.is_object() ? state.value("skipped_updates", std::int64_t{0}) : 0);
}

// What lies in the run directory must be the model that is asked for: its tables would carry the wrong label.
void check_settings(const PlannedModel& model, const fs::path& run, const ConfigContext& context) {
    const auto file = run / "config.yaml";
    if (!fs::exists(file)) return;
    std::vector<std::string> changes;
    for (const auto& difference : config_differences(load_config({{file.string()}, {}}, context), model.config, context)) {
        if (decides_weights(difference.key)) changes.push_back(difference.key + ": " + difference.before + " -> " + difference.after);
    }
    if (model.done_updates > model.updates) {
        changes.push_back(strprintf("it has %lld updates, %lld are asked for", static_cast<long long>(model.done_updates),
                                    static_cast<long long>(model.updates)));
    }
    if (!changes.empty()) {
        throw ConfigError(run.string() + " was trained with other settings (" + join(changes, "; ") + "): choose another --run-dir");
    }
}

PlannedEval eval_of(const Scale& scale, const Target& target) {
    PlannedEval eval;
    eval.file = measurement_file(target);
    eval.split = target.split;
    eval.stride = target.stride == 0 ? 0 : scale.stride(target);
    eval.stream_tokens = scale.stream_tokens(target);
    // The paper's evaluation has one window a pass, and its speeds are measured so; shorter windows than those of the speed tables, and
    // windows of stride 1, would only wait.
    eval.one_at_a_time = target.stride != 1 && target.quantity != Quantity::batched_eval_speed && target.length >= 512;
    return eval;
}

void add_eval(std::vector<PlannedEval>& evals, const Scale& scale, const Target& target) {
    const auto wanted = eval_of(scale, target);
    auto found = std::find_if(evals.begin(), evals.end(), [&](const PlannedEval& eval) {
        return eval.file == wanted.file && eval.split == wanted.split && eval.stride == wanted.stride &&
               eval.stream_tokens == wanted.stream_tokens && eval.one_at_a_time == wanted.one_at_a_time;
    });
    if (found == evals.end()) found = evals.insert(evals.end(), wanted);
    found->lengths.insert(scale.length(target.length));
}

// Rows older than the newest checkpoint may be of other weights: the evaluation itself compares fingerprints and keeps what is right.
bool is_newer(const fs::path& file, const fs::path& run) {
    std::error_code error;
    const auto rows = fs::last_write_time(file, error);
    return !error && rows >= fs::last_write_time(run / "checkpoints" / "last" / "manifest.json", error);
}

void mark_missing(std::vector<PlannedEval>& evals, const fs::path& run, bool trained) {
    std::map<std::string, std::vector<EvalResult>> files;
    for (auto& eval : evals) {
        if (files.count(eval.file) == 0) files[eval.file] = read_results((run / eval.file).string());
        for (const auto length : eval.lengths) {
            const auto stride = eval.stride == 0 ? length : eval.stride;
            const auto& rows = files[eval.file];
            const bool there =
                trained && is_newer(run / eval.file, run) && std::any_of(rows.begin(), rows.end(), [&](const EvalResult& row) {
                    return row.protocol == "paper" && row.length == length && row.stride == stride && row.split == eval.split &&
                           row.max_stream_tokens == eval.stream_tokens;
                });
            if (!there) eval.missing.insert(length);
        }
    }
}

// Tokens that the first of --max-stream-tokens leave out cannot make a window longer.
void warn_of_unreached(const std::vector<PlannedModel>& models) {
    std::set<std::pair<std::int64_t, std::int64_t>> said;
    for (const auto& model : models) {
        for (const auto* evals : {&model.early, &model.evals}) {
            for (const auto& eval : *evals) {
                for (const auto length : eval.lengths) {
                    if (eval.stream_tokens == 0 || eval.stream_tokens >= length || !said.emplace(length, eval.stream_tokens).second)
                        continue;
                    log::warn(
                        strprintf("no window reaches length %lld: only %s tokens are scored (--max-stream-tokens); its place stays empty",
                                  static_cast<long long>(length), with_commas(eval.stream_tokens).c_str()));
                }
            }
        }
    }
}

PlannedModel& model_for(std::vector<PlannedModel>& models, const ReproduceRequest& request, const Target& target) {
    const auto name = model_name(request.scale, target);
    const auto found = std::find_if(models.begin(), models.end(), [&](const PlannedModel& model) { return model.name == name; });
    return found != models.end() ? *found : models.emplace_back(make_model(request, target));
}

// Table 11's early stops lie on the way of models that other tables want too, and cannot be measured later: they are always planned.
void add_early_stops(std::vector<PlannedModel>& models, const Scale& scale) {
    const auto& table = published_table("table11");
    for (std::size_t row = 0; row < table.rows.size(); ++row) {
        for (std::size_t column = 0; column < table.columns.size(); ++column) {
            const auto target = target_of(table, row, column);
            if (!target || target->after_updates == 0 || target->length == 0) continue;
            const auto name = model_name(scale, *target);
            for (auto& model : models) {
                if (model.name != name) continue;
                model.early_updates = std::llround(static_cast<double>(model.updates) * target->after_updates / kPaperUpdates);
                add_eval(model.early, scale, *target);
            }
        }
    }
}

}  // namespace

double tokens_per_update(const Config& config) {
    return static_cast<double>(config.train.batch) * static_cast<double>(config.train.accumulate) *
           static_cast<double>(config.train.length);
}

bool PlannedModel::done() const {
    return trained() && std::all_of(evals.begin(), evals.end(), [](const PlannedEval& eval) { return eval.missing.empty(); });
}

double ReproducePlan::seconds() const {
    double sum = 0;
    for (const auto& model : models) {
        sum += model.train_seconds;
        for (const auto* evals : {&model.early, &model.evals}) {
            for (const auto& eval : *evals) sum += eval.seconds;
        }
    }
    return sum;
}

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
        // Training quantities are found by the model's rows: every model is evaluated at its own length at least.
        if (std::none_of(model.evals.begin(), model.evals.end(), [](const PlannedEval& eval) { return eval.file == "results.jsonl"; })) {
            Target own{model.dataset, model.method, model.train_length, Quantity::ppl, model.train_length, 0, "valid", 0};
            add_eval(model.evals, request.scale, own);
        }
        const auto run = request.run_dir / model.name;
        model.done_updates = saved_updates(run, model.config);
        check_settings(model, run, request.context);
        mark_missing(model.evals, run, model.trained());
        mark_missing(model.early, run, model.done_updates >= model.early_updates);
        if (model.done_updates > model.early_updates) {
            for (auto& eval : model.early) eval.missing.clear();  // past: measured then, or never
        }
    }
    warn_of_unreached(plan.models);
    estimate_costs(plan, request.scale);
    if (request.meter && plan.seconds() > 0) measure_costs(plan, request);
    return plan;
}

}  // namespace longbow
