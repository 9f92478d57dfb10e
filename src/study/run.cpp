// Runs what a study misses, says what it is, and writes what has been measured.
#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "longbow/config/load.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/strings.h"
#include "longbow/grid/commands.h"
#include "longbow/grid/cost.h"
#include "longbow/grid/run.h"
#include "longbow/study/study.h"
#include "rows.h"

namespace longbow {

namespace {

constexpr const char* kTextRemedy =
    "get the text that the study's base names (scripts/corpora/austen writes Jane Austen's), and run from the top of the "
    "checkout";

// Returns the command that writes the table once everything is measured.
std::vector<std::string> final_command(const StudyRequest& request) {
    return {"study", request.settings.file, "--run-dir", request.run_dir.string()};
}

// Measures each kind of model once, although the parts are estimated one by one.
SpeedMeter remembering(const SpeedMeter& meter, const ConfigContext& context) {
    return [&meter, &context, known = std::map<std::string, LocalSpeed>()](
               const Config& config, std::int64_t vocab_size, const std::vector<TimedEval>& evals) mutable {
        auto key = config_fingerprint(config, context) + fmt::format(" {}", vocab_size);
        for (const auto& eval : evals) key += fmt::format(" {}/{}", eval.length, eval.stride);
        const auto found = known.find(key);
        return found != known.end() ? found->second : known[key] = meter(config, vocab_size, evals);
    };
}

// Estimates the whole plan and each of its parts on this machine.
std::string times_text(GridPlan plan, const StudyPlan& study, StudyRequest request) {
    const auto meter = request.meter;
    request.meter = remembering(meter, request.context);
    std::string text;
    for (const auto& [name, models] : study.parts) {
        if (!request.part.empty() && name != request.part) continue;
        GridPlan part = plan;
        std::erase_if(part.models, [&, &wanted = models](const PlannedModel& model) {
            return model.done() || !wanted.contains(model.name);
        });
        text += fmt::format("part {:<12} {:>3} models to do", name, part.models.size());
        if (!part.models.empty()) measure_costs(part, request);
        if (part.local_seconds >= 0) text += ", about " + rounded_duration_text(part.local_seconds);
        text += "\n";
    }
    measure_costs(plan, request);
    return text + local_time_text(plan, request);
}

StudyOutput write_study(const StudyPlan& plan, const StudyRequest& request) {
    StudyOutput output;
    output.files = OutputFiles(request.run_dir);
    const auto table = summarize(plan);
    const auto& study = request.settings;
    const auto render = [&](TextFormat format) { return render_study(plan, study, table, format); };
    output.markdown = render(TextFormat::markdown);
    output.files.write_table(study.name, render);
    if (const auto svg = study_svg(plan, study, table); !svg.empty()) output.files.write_figure(study.name, svg);
    if (request.save_rows && write_saved_rows(study.rows, plan, request.context)) output.rows = study.rows;
    return output;
}

}  // namespace

std::string plan_text(const StudyPlan& plan, const StudyRequest& request) {
    auto text = fmt::format("study {} in {}: {} models, {} of them done here", request.settings.name,
                            request.run_dir.string(), plan.all_models, plan.done);
    if (plan.from_rows > 0)
        text += fmt::format(", {} by the rows in {}", plan.from_rows, request.settings.rows.string());
    if (!request.part.empty()) text += fmt::format("; part {} has {}", request.part, plan.models.size());
    text += "\n\n" + models_text(plan, request) + "\n";
    const bool missing =
        std::any_of(plan.models.begin(), plan.models.end(), [](const PlannedModel& model) { return !model.done(); });
    if (!missing) return text + "nothing is missing\n";
    return request.meter ? text + times_text(plan, plan, request) : text;
}

std::string shell_script(const StudyPlan& plan, const StudyRequest& request) {
    return shell_script(plan, request, final_command(request));
}

std::string slurm_script(const StudyPlan& plan, const StudyRequest& request) {
    return slurm_script(plan, request, final_command(request));
}

StudyOutput run_study(const StudyRequest& request) {
    return run_grid(
        request, kTextRemedy, [&] { return plan_study(request); },
        [&](const StudyPlan&) {
            return write_study(plan_study(request), request);
        });  // planned anew, with the new rows
}

}  // namespace longbow
