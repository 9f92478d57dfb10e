// The plan as a person reads it.
#include <algorithm>
#include <set>

#include "longbow/core/files.h"
#include "longbow/core/strings.h"
#include "reproduce.h"

namespace longbow {

namespace {

std::string hours(double seconds) {
    return seconds >= 36000 ? strprintf("%s h", with_commas(static_cast<std::int64_t>(seconds / 3600 + 0.5)).c_str())
                            : strprintf(seconds >= 360 ? "%.1f h" : "%.3f h", seconds / 3600);
}

std::string state_of(const PlannedModel& model) {
    if (model.trained()) return "trained";
    if (model.done_updates > 0)
        return strprintf("at %s of %s updates", with_commas(model.done_updates).c_str(), with_commas(model.updates).c_str());
    return "to train";
}

std::string eval_text(const PlannedEval& eval) {
    std::vector<std::string> missing;
    for (const auto length : eval.missing) missing.push_back(std::to_string(length));
    std::string text = eval.split + (eval.stride > 0 ? ", stride " + std::to_string(eval.stride) : std::string());
    if (eval.stream_tokens > 0) text += ", first " + with_commas(eval.stream_tokens) + " tokens";
    if (eval.file == "speed.jsonl") text += ", in batches";
    if (eval.file == "early.jsonl") text += ", on the way";
    text += strprintf(": %zu of %zu lengths done", eval.lengths.size() - missing.size(), eval.lengths.size());
    if (!missing.empty()) text += "; missing " + join(missing, " ") + ", " + hours(eval.seconds);
    return text;
}

// Stores that are not there yet take time too, which nothing tells.
std::string missing_stores(const ReproducePlan& plan) {
    std::set<std::string> stores;
    for (const auto& model : plan.models) {
        const auto& store = model.config.data.store;
        if (!model.done() && !fs::exists(fs::path(store) / "manifest.json")) stores.insert(store);
    }
    return stores.empty()
               ? ""
               : "; preparing " + join({stores.begin(), stores.end()}, ", ") + " comes on top, and its tokens are taken as published";
}

}  // namespace

std::string plan_text(const ReproducePlan& plan, const ReproduceRequest& request) {
    std::string text;
    const auto banner = request.scale.banner();
    if (!banner.empty()) text += banner + "\n\n";
    auto names = plan.tables;
    names.insert(names.end(), plan.figures.begin(), plan.figures.end());
    const auto done = std::count_if(plan.models.begin(), plan.models.end(), [](const PlannedModel& model) { return model.done(); });
    text += join(names, ", ") + " in " + request.run_dir.string() +
            strprintf(": %zu models, %lld of them done\n\n", plan.models.size(), static_cast<long long>(done));
    for (const auto& model : plan.models) {
        text += strprintf("%-28s %s, %s tokens in %s updates", model.name.c_str(), state_of(model).c_str(),
                          human_count(model.tokens).c_str(), with_commas(model.updates).c_str());
        if (model.train_seconds > 0) text += ", " + hours(model.train_seconds);
        text += "\n";
        for (const auto* evals : {&model.early, &model.evals}) {
            for (const auto& eval : *evals) text += "    " + eval_text(eval) + "\n";
        }
    }
    text += "\nmissing in all: " + hours(plan.seconds()) + "; " + plan.assumption + "\n";
    if (plan.local_seconds >= 0)
        text += strprintf("on this machine about %s, %d at once, by updates and passes timed just now and scaled by FLOPs%s\n",
                          about_seconds(plan.local_seconds).c_str(), request.jobs, missing_stores(plan).c_str());
    if (!plan.local_problem.empty()) text += "on this machine: cannot be measured: " + plan.local_problem + "\n";
    return text;
}

}  // namespace longbow
