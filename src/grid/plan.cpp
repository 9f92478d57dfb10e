#include "longbow/grid/plan.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "longbow/config/load.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/json.h"
#include "longbow/core/json_text.h"
#include "longbow/core/strings.h"
#include "longbow/eval/eval_result.h"
#include "longbow/telemetry/log.h"

namespace longbow {

namespace {

// Returns the number of updates of the newest checkpoint, counted as train.stop counts them; -1 if there is none.
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

// Throws ConfigError if the run directory holds another model than the plan's, since the tables would label its results
// wrongly.
void check_settings(const PlannedModel& model, const fs::path& run, const ConfigContext& context) {
    const auto file = run / "config.yaml";
    if (!fs::exists(file)) return;
    std::vector<std::string> changes;
    for (const auto& difference :
         config_differences(load_config({{file.string()}, {}}, context), model.config, context)) {
        if (decides_weights(difference.key))
            changes.push_back(difference.key + ": " + difference.before + " -> " + difference.after);
    }
    if (model.done_updates > model.updates) {
        changes.push_back(fmt::format("it has {} updates, {} are asked for", model.done_updates, model.updates));
    }
    if (!changes.empty()) {
        throw ConfigError(run.string() + " was trained with other settings (" + join(changes, "; ") +
                          "): choose another --run-dir");
    }
}

void mark_missing(std::vector<PlannedEval>& evals, const PlannedModel& model, const fs::path& run, bool trained) {
    std::map<std::string, std::vector<EvalResult>> files;
    for (auto& eval : evals) {
        if (files.count(eval.file) == 0) files[eval.file] = read_results((run / eval.file).string());
        for (const auto length : eval.lengths) {
            const auto& rows = files[eval.file];
            const bool measured = trained && is_newer(run / eval.file, run) &&
                                  std::any_of(rows.begin(), rows.end(), [&](const EvalResult& row) {
                                      return is_row_of(row, model, eval, length);
                                  });
            if (!measured) eval.missing.insert(length);
        }
    }
}

std::string hours(double seconds) {
    return seconds >= 36000 ? fmt::format("{} h", with_commas(static_cast<std::int64_t>(seconds / 3600 + 0.5)))
                            : fmt::format("{:.{}f} h", seconds / 3600, seconds >= 360 ? 1 : 3);
}

std::string state_of(const PlannedModel& model) {
    if (model.trained()) return "trained";
    if (model.done_updates > 0)
        return fmt::format("at {} of {} updates", with_commas(model.done_updates), with_commas(model.updates));
    return "to train";
}

std::string eval_text(const PlannedEval& eval) {
    std::vector<std::string> missing;
    for (const auto length : eval.missing) missing.push_back(std::to_string(length));
    std::string text = eval.split + (eval.stride > 0 ? ", stride " + std::to_string(eval.stride) : std::string());
    if (eval.stream_tokens > 0) text += ", first " + with_commas(eval.stream_tokens) + " tokens";
    if (eval.file == "speed.jsonl") text += ", in batches";
    if (eval.file == "early.jsonl") text += ", on the way";
    if (!eval.overrides.empty()) text += ", with " + join(eval.overrides, " ");
    text += fmt::format(": {} of {} lengths done", eval.lengths.size() - missing.size(), eval.lengths.size());
    if (!missing.empty()) text += "; missing " + join(missing, " ");
    if (!missing.empty() && eval.seconds > 0) text += ", " + hours(eval.seconds);
    return text;
}

std::string probe_text(const PlannedProbe& probe) {
    std::string text =
        fmt::format("probe {}, {} items a measurement, seed {}", probe.kind, with_commas(probe.items), probe.seed);
    if (!probe.overrides.empty()) text += ", with " + join(probe.overrides, " ");
    return text + (probe.missing ? ": missing" : ": done");
}

// Preparing the missing stores takes time too, which the plan cannot estimate; this text says so.
std::string missing_stores(const GridPlan& plan) {
    std::set<std::string> stores;
    for (const auto& model : plan.models) {
        const auto& store = model.config.data.store;
        if (!model.done() && !store.empty() && !fs::exists(fs::path(store) / "manifest.json")) stores.insert(store);
    }
    return stores.empty() ? ""
                          : "; preparing " + join({stores.begin(), stores.end()}, ", ") +
                                " is not included, and its number of tokens is assumed";
}

}  // namespace

// An evaluation that is repeated because of this compares fingerprints and keeps the rows that are still valid.
bool is_newer(const fs::path& file, const fs::path& run) {
    std::error_code error;
    const auto rows = fs::last_write_time(file, error);
    return !error && rows >= fs::last_write_time(run / "checkpoints" / "last" / "manifest.json", error);
}

double tokens_per_update(const Config& config) {
    return static_cast<double>(config.train.batch) * static_cast<double>(config.train.accumulate) *
           static_cast<double>(config.train.length);
}

bool PlannedModel::done() const {
    return trained() &&
           std::all_of(evals.begin(), evals.end(), [](const PlannedEval& eval) { return eval.missing.empty(); }) &&
           std::none_of(probes.begin(), probes.end(), [](const PlannedProbe& probe) { return probe.missing; });
}

double GridPlan::seconds() const {
    double sum = 0;
    for (const auto& model : models) {
        sum += model.train_seconds;
        for (const auto* evals : {&model.early, &model.evals}) {
            for (const auto& eval : *evals) sum += eval.seconds;
        }
    }
    return sum;
}

void load_planned(PlannedModel& model, const ConfigContext& context) {
    model.config = load_config({model.files, model.overrides}, context);
    const auto& config = model.config;
    const double an_update = tokens_per_update(config);
    const auto known_tokens = static_cast<double>(config.data.expect_train_tokens);
    if (config.train.stop.unit == Duration::Unit::seconds ||
        (config.train.stop.unit == Duration::Unit::epochs && known_tokens == 0)) {
        throw ConfigError("train.stop: " + config.train.stop.text() +
                          ": a plan must know the number of updates: say it in updates or tokens, or set "
                          "data.expect_train_tokens for epochs");
    }
    model.updates = config.train.stop.updates(an_update, known_tokens / an_update);
    model.tokens = static_cast<double>(model.updates) * an_update;
}

bool is_row_of(const EvalResult& row, const PlannedModel& model, const PlannedEval& eval, std::int64_t length) {
    Measurement wanted;
    wanted.length = length;
    wanted.stride = eval.stride == 0 ? length : eval.stride;
    wanted.split = eval.split;
    wanted.max_stream_tokens = eval.stream_tokens;
    wanted.data_set = model.data_set;
    return row.matches(wanted, Measurement::kGridConditions) && row.overrides == join(eval.overrides, " ");
}

void add_eval(std::vector<PlannedEval>& evals, const PlannedEval& wanted, std::int64_t length) {
    auto found = std::find_if(evals.begin(), evals.end(), [&](const PlannedEval& eval) {
        return eval.file == wanted.file && eval.split == wanted.split && eval.stride == wanted.stride &&
               eval.stream_tokens == wanted.stream_tokens && eval.one_at_a_time == wanted.one_at_a_time &&
               eval.overrides == wanted.overrides;
    });
    if (found == evals.end()) found = evals.insert(evals.end(), wanted);
    found->lengths.insert(length);
}

void find_done(PlannedModel& model, const GridRequest& request) {
    const auto run = request.run_dir / model.name;
    model.done_updates = saved_updates(run, model.config);
    check_settings(model, run, request.context);
    mark_missing(model.evals, model, run, model.trained());
    mark_missing(model.early, model, run, model.done_updates >= model.early_updates);
    if (model.done_updates > model.early_updates) {
        // Past that update: they were measured then or cannot be any more.
        for (auto& eval : model.early) eval.missing.clear();
    }
}

// Only a limit set by --max-stream-tokens (eval.stream_tokens > 0) is checked here; the length of the split itself is
// not.
void warn_of_unreached(const GridPlan& plan) {
    std::set<std::pair<std::int64_t, std::int64_t>> said;
    for (const auto& model : plan.models) {
        for (const auto* evals : {&model.early, &model.evals}) {
            for (const auto& eval : *evals) {
                for (const auto length : eval.lengths) {
                    if (eval.stream_tokens == 0 || eval.stream_tokens >= length ||
                        !said.emplace(length, eval.stream_tokens).second)
                        continue;
                    log::warn(fmt::format(
                        "no window has length {}, because only {} tokens are scored (--max-stream-tokens); its cell stays empty",
                        length, with_commas(eval.stream_tokens)));
                }
            }
        }
    }
}

std::string models_text(const GridPlan& plan, const GridRequest& request) {
    std::string text;
    for (const auto& model : plan.models) {
        text += fmt::format("{:<28} {}, {} tokens in {} updates", model.name, state_of(model),
                            human_count(model.tokens), with_commas(model.updates));
        if (model.train_seconds > 0) text += ", " + hours(model.train_seconds);
        text += "\n";
        for (const auto* evals : {&model.early, &model.evals}) {
            for (const auto& eval : *evals) text += "    " + eval_text(eval) + "\n";
        }
        for (const auto& probe : model.probes) text += "    " + probe_text(probe) + "\n";
    }
    text += "\n";
    if (!plan.assumption.empty()) text += "missing in all: " + hours(plan.seconds()) + "; " + plan.assumption + "\n";
    return text + local_time_text(plan, request);
}

std::string local_time_text(const GridPlan& plan, const GridRequest& request) {
    if (!plan.local_problem.empty()) return "on this machine: cannot be measured: " + plan.local_problem + "\n";
    if (plan.local_seconds < 0) return "";
    return fmt::format(
        "on this machine about {}, {} at once, by updates and passes timed just now and scaled by FLOPs{}\n",
        rounded_duration_text(plan.local_seconds), request.jobs, missing_stores(plan));
}

}  // namespace longbow
