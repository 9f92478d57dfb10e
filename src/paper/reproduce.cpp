// Runs what a plan misses, and writes what has been measured.
#include "longbow/paper/reproduce.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>

#include "figures.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/grid/commands.h"
#include "longbow/grid/run.h"
#include "longbow/paper/formats.h"
#include "reproduce.h"

namespace longbow {

namespace {

// Returns the command that writes the tables once everything is measured.
std::vector<std::string> final_command(const ReproduceRequest& request) {
    std::vector<std::string> command{"reproduce"};
    command.insert(command.end(), request.names.begin(), request.names.end());
    command.insert(command.end(), request.overrides.begin(), request.overrides.end());
    command.insert(command.end(), {"--scale", request.scale.name, "--run-dir", request.run_dir.string(), "--configs",
                                   request.configs.string()});
    if (request.scale.max_stream_tokens > 0)
        command.insert(command.end(), {"--max-stream-tokens", std::to_string(request.scale.max_stream_tokens)});
    return command;
}

std::vector<ReportRun> runs_of(const ReproducePlan& plan, const ReproduceRequest& request) {
    std::vector<std::string> inputs;
    for (const auto& model : plan.models) {
        const auto run = request.run_dir / model.name;
        if (fs::exists(run / "results.jsonl") && fs::file_size(run / "results.jsonl") > 0)
            inputs.push_back((run / "results.jsonl").string());
    }
    return inputs.empty() ? std::vector<ReportRun>{} : read_runs(inputs);
}

// Is a claim of the paper about a method's perplexity beyond the training length. It is checked with the greatest
// growth from the training length to the longest length measured.
struct ClaimRule {
    const char *method, *text;
    std::int64_t train_length;  // 0: of every model of the method in the requested tables
    bool grows;                 // true: by at least `bound`; false: by no more than that
    double bound;
};
constexpr std::array kClaims{
    ClaimRule{"alibi", "ALiBi improves or holds with length (the worst model: ", 0, false, 1.02},
    ClaimRule{"sinusoidal", "sinusoidal positions break down (", 512, true, 1.2}};

using Curve = std::map<std::int64_t, double>;  // perplexity by length
// Returns the curve of each method and training length that the table holds.
std::map<std::pair<std::string, std::int64_t>, Curve> measured_curves(const PublishedTable& table, const Scale& scale,
                                                                      const Lookup& ours) {
    std::map<std::pair<std::string, std::int64_t>, Curve> curves;
    for (const auto row : scale.rows_of(table)) {
        for (std::size_t column = 0; column < table.columns.size(); ++column) {
            const auto target = target_of(table, row, column);
            if (!target || target->quantity != Quantity::ppl || target->split != "valid" || target->after_updates > 0)
                continue;
            if (const auto measured = ours(*target))
                curves[{target->method, target->train_length}][target->length] = measured->value;
        }
    }
    return curves;
}

void add_claim(const ClaimRule& rule, const ReproducePlan& plan, const Scale& scale, const Lookup& ours,
               std::vector<Claim>& claims) {
    double worst = 0;
    std::string text;
    for (const auto& name : plan.tables) {
        const auto& table = published_table(name);
        if (table.stride != 0) continue;
        for (const auto& [model, curve] : measured_curves(table, scale, ours)) {
            if (model.first != rule.method || (rule.train_length > 0 && model.second != rule.train_length)) continue;
            const auto own = curve.find(model.second);
            if (own == curve.end() || curve.rbegin()->first == model.second) continue;
            double ratio = curve.rbegin()->second / own->second;
            // A model that diverged at the longer input counts as broken down. One that diverged at its own length
            // counts against the claim.
            if (!std::isfinite(ratio)) ratio = std::isfinite(own->second) || !rule.grows ? INFINITY : 0;
            if (!(ratio > worst)) continue;
            worst = ratio;
            text = fmt::format("trained at {}, perplexity {:.2f} at {} and {:.2f} at {}", scale.length(model.second),
                               own->second, scale.length(model.second), curve.rbegin()->second,
                               scale.length(curve.rbegin()->first));
        }
    }
    if (worst > 0)
        claims.push_back(
            {rule.text + text + ")", worst, rule.bound, rule.grows ? worst >= rule.bound : worst <= rule.bound});
}

}  // namespace

ReproductionOutput reproduce(const ReproduceRequest& request) {
    return run_grid(
        request,
        request.scale.reduced() ? "run scripts/corpora/austen first (from the top of the checkout)"
                                : "data/README.md says how to get it",
        [&] { return plan_reproduction(request); },
        [&](const ReproducePlan& plan) { return write_reproduction(plan, request); });
}

std::string shell_script(const ReproducePlan& plan, const ReproduceRequest& request) {
    return shell_script(plan, request, final_command(request));
}

std::string slurm_script(const ReproducePlan& plan, const ReproduceRequest& request) {
    return slurm_script(plan, request, final_command(request));
}

ReproductionOutput write_reproduction(const ReproducePlan& plan, const ReproduceRequest& request) {
    ReproductionOutput output;
    output.files = OutputFiles(request.run_dir);
    const auto runs = runs_of(plan, request);
    const auto ours = lookup_in(runs, request.scale);
    for (const auto& name : plan.tables) {
        const auto render = [&](TextFormat format) {
            return render_paper_table(published_table(name), request.scale, ours, format);
        };
        output.markdown += (output.markdown.empty() ? "" : "\n") + render(TextFormat::markdown);
        output.files.write_table(name, render);
    }
    for (const auto& name : plan.figures)
        output.files.write_figure(name, figure_svg(name, request.scale, ours, validations_in(runs, request.scale)));
    for (const auto& rule : kClaims) add_claim(rule, plan, request.scale, ours, output.claims);
    return output;
}

}  // namespace longbow
