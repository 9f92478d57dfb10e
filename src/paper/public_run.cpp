// Measures what a plan of public models misses, and writes the table and the figure.
#include <algorithm>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/signals.h"
#include "longbow/core/strings.h"
#include "longbow/grid/children.h"
#include "longbow/grid/run.h"
#include "public_costs.h"

namespace longbow {

namespace {

std::vector<std::string> eval_command(const PublicEntry& entry, const PublicRequest& request) {
    std::vector<std::string> lengths;
    for (const auto length : entry.missing()) lengths.push_back(std::to_string(length));
    std::vector<std::string> command{
        "eval",      entry.model,        "--protocol", request.settings.protocol,
        "--lengths", join(lengths, ","), "--out",      (request.run_dir / entry.folder / "results.jsonl").string()};
    if (request.settings.stride > 0)
        command.insert(command.end(), {"--stride", std::to_string(request.settings.stride)});
    for (const auto& file : request.settings.text) command.insert(command.end(), {"--text", file});
    if (request.max_stream_tokens > 0)
        command.insert(command.end(), {"--max-stream-tokens", std::to_string(request.max_stream_tokens)});
    if (request.device != "auto") command.insert(command.end(), {"--device", request.device});
    if (request.threads > 0) command.insert(command.end(), {"--threads", std::to_string(request.threads)});
    if (request.nproc > 1) command.insert(command.end(), {"--nproc", std::to_string(request.nproc)});
    return command;
}

std::vector<Chain> chains_of(const PublicPlan& plan, const PublicRequest& request) {
    const auto grid = as_grid(plan, request);
    std::vector<Chain> chains;
    for (std::size_t i = 0; i < plan.entries.size(); ++i) {
        const auto& entry = plan.entries[i];
        if (entry.missing().empty()) continue;
        double flops = 0;
        for (const auto& eval : grid.models[i].evals) flops += eval.flops;
        chains.push_back(
            {entry.name, {eval_command(entry, request)}, request.run_dir / "logs" / (entry.folder + ".log"), {flops}});
    }
    return chains;
}

PublicOutput write_public(const PublicPlan& plan, const PublicRequest& request) {
    PublicOutput output;
    output.files = OutputFiles(request.run_dir);
    const auto render = [&](TextFormat format) { return render_public(plan, request, format); };
    output.markdown = render(TextFormat::markdown);
    output.files.write_table("public", render);
    output.files.write_figure("public", public_svg(plan, request));
    return output;
}

}  // namespace

PublicOutput reproduce_public(const PublicRequest& request) {
    install_stop_handlers();
    (void)plan_public(request);  // refuses what can be refused before it waits
    const ChildrenLock lock(request.run_dir);
    auto plan = plan_public(request);
    for (const auto& entry : plan.entries) {
        if (!entry.missing().empty()) fs::create_directories(request.run_dir / entry.folder);
    }
    const auto failures = run_chains(chains_of(plan, request), request.jobs);
    plan = plan_public(request);
    auto output = write_public(plan, request);
    if (!failures.empty()) throw_failures(failures);
    return output;
}

}  // namespace longbow
