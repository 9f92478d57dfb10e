// Runs what a plan misses, and writes what has been measured.
#include <algorithm>
#include <cmath>
#include <limits>

#include "figures.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/signals.h"
#include "longbow/core/strings.h"
#include "longbow/grid/children.h"
#include "longbow/telemetry/log.h"
#include "reproduce.h"

namespace longbow {

namespace {

[[noreturn]] void fail(const std::vector<ChainFailure>& failures) {
    std::vector<std::string> names;
    for (const auto& failure : failures)
        names.push_back(failure.name + " (" + failure.command + strprintf(", code %d, ", failure.code) + failure.log.string() + ")");
    // A child killed by a signal has no exit code of ours.
    const int code = failures.front().code;
    const auto known = {2, 3, 4, 5, 65};
    throw Error(strprintf("%zu of the plan's models failed: ", failures.size()) + join(names, "; ") +
                    "; tables and figures hold what the others measured, and the same command tries these again",
                std::find(known.begin(), known.end(), code) != known.end() ? static_cast<ExitCode>(code) : ExitCode::failure);
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

// The greatest growth from the training length to the longest measured: of all ALiBi models in the tables asked for, and of the sinusoidal
// one trained at 512.
void add_claims(const ReproducePlan& plan, const Scale& scale, const Lookup& ours, std::vector<Claim>& claims) {
    struct Worst {
        double ratio = 0;
        std::string text;
    } alibi, sinusoidal;
    for (const auto& name : plan.tables) {
        const auto& table = published_table(name);
        if (table.stride != 0) continue;
        std::map<std::pair<std::string, std::int64_t>, std::map<std::int64_t, double>> curves;
        for (const auto row : scale.rows_of(table)) {
            for (std::size_t column = 0; column < table.columns.size(); ++column) {
                const auto target = target_of(table, row, column);
                if (!target || target->quantity != Quantity::ppl || target->split != "valid" || target->after_updates > 0) continue;
                if (const auto measured = ours(*target)) curves[{target->method, target->train_length}][target->length] = measured->value;
            }
        }
        for (const auto& [model, curve] : curves) {
            const auto own = curve.find(model.second);
            if (own == curve.end() || curve.rbegin()->first == model.second) continue;
            double ratio = curve.rbegin()->second / own->second;
            // A model that diverged at the longer input broke down; one that did at its own length is ALiBi's failure, and nobody's success.
            if (!std::isfinite(ratio)) ratio = std::isfinite(own->second) || model.first == "alibi" ? INFINITY : 0;
            const auto text =
                strprintf("trained at %lld, perplexity %.2f at %lld and %.2f at %lld", static_cast<long long>(scale.length(model.second)),
                          own->second, static_cast<long long>(scale.length(model.second)), curve.rbegin()->second,
                          static_cast<long long>(scale.length(curve.rbegin()->first)));
            if (model.first == "alibi" && ratio > alibi.ratio) alibi = {ratio, text};
            if (model.first == "sinusoidal" && model.second == 512 && ratio > sinusoidal.ratio) sinusoidal = {ratio, text};
        }
    }
    if (alibi.ratio > 0)
        claims.push_back(
            {"ALiBi improves or holds with length (the worst model: " + alibi.text + ")", alibi.ratio, 1.02, alibi.ratio <= 1.02});
    if (sinusoidal.ratio > 0)
        claims.push_back({"sinusoidal positions break down (" + sinusoidal.text + ")", sinusoidal.ratio, 1.2, sinusoidal.ratio >= 1.2});
}

void check_texts(const ReproducePlan& plan, const ReproduceRequest& request) {
    for (const auto& model : plan.models) {
        const auto& data = model.config.data;
        if (fs::exists(fs::path(data.store) / "manifest.json")) continue;
        for (const auto& file : data.train) {
            if (!fs::exists(file)) {
                throw DataError(file + ": the text is not there, and " + data.store + " is no token store yet; " +
                                (request.scale.name == "demo" ? "run scripts/corpora/austen first (from the top of the checkout)"
                                                              : "data/README.md says how to get it"));
            }
        }
    }
}

std::vector<ChainFailure> run_missing(const ReproducePlan& plan, const ReproduceRequest& request) {
    const auto log = [&](const std::string& name) {
        std::string file = name;
        std::replace(file.begin(), file.end(), '/', '-');
        return request.run_dir / "logs" / (file + ".log");
    };
    Chain stores{"stores", store_commands(plan, request), log("stores"), {}};
    if (!stores.commands.empty()) {
        const auto failures = run_chains({stores}, 1);
        if (!failures.empty()) fail(failures);
    }
    std::vector<Chain> chains;
    for (const auto& model : model_commands(plan, request)) chains.push_back({model.name, model.commands, log(model.name), model.costs});
    return run_chains(chains, request.jobs);
}

}  // namespace

ReproductionOutput reproduce(const ReproduceRequest& request) {
    install_stop_handlers();
    check_texts(plan_reproduction(request), request);  // before anything is made
    const ChildrenLock lock(request.run_dir);
    const auto plan = plan_reproduction(request);  // as it is now: another process may have worked while this one waited
    const auto failures = run_missing(plan, request);
    auto output = write_reproduction(plan, request);
    if (!failures.empty()) fail(failures);
    return output;
}

ReproductionOutput write_reproduction(const ReproducePlan& plan, const ReproduceRequest& request) {
    ReproductionOutput output;
    const auto runs = runs_of(plan, request);
    const auto ours = lookup_in(runs, request.scale);
    const auto write = [&](const fs::path& file, const std::string& text) {
        fs::create_directories(file.parent_path());
        write_file_atomic(file, text);
        output.files.push_back(file);
    };
    for (const auto& name : plan.tables) {
        const auto& table = published_table(name);
        const auto file = [&](const char* ending) { return request.run_dir / "tables" / (name + ending); };
        const auto text = render_paper_table(table, request.scale, ours, "markdown");
        output.markdown += (output.markdown.empty() ? "" : "\n") + text;
        write(file(".md"), text);
        write(file(".csv"), render_paper_table(table, request.scale, ours, "csv"));
        write(file(".tex"), render_paper_table(table, request.scale, ours, "latex"));
        write(file(".json"), render_paper_table(table, request.scale, ours, "json"));
        write(file(".html"), render_paper_table(table, request.scale, ours, "html"));
    }
    for (const auto& name : plan.figures)
        write(request.run_dir / "figures" / (name + ".svg"), figure_svg(name, request.scale, ours, validations_in(runs, request.scale)));
    add_claims(plan, request.scale, ours, output.claims);
    return output;
}

}  // namespace longbow
