#include "eval_estimate.h"

#include "longbow/core/strings.h"
#include "longbow/eval/estimate.h"
#include "longbow/telemetry/terminal.h"

namespace longbow {

WorkEstimate estimate_work(MeasuredRun& run, const TokenStream& stream, const std::vector<EstimatedWork>& work, const std::string& device,
                           double budget, int width) {
    auto& model = ready_model(run, device);
    std::vector<const EvalPlan*> timed;
    for (const auto& one : work) {
        if (one.done.empty()) timed.push_back(one.plan);
    }
    const auto speeds = timed.empty() ? std::vector<double>() : seconds_per_flop(model, stream, timed, budget);

    WorkEstimate estimate;
    std::vector<TableColumn> table{{"length", 0, {}}, {"stride", 1, {}}, {"windows", 3, {}},
                                   {"tokens", 2, {}}, {"FLOPs", 4, {}},  {"time", 0, {}}};
    auto speed = speeds.begin();
    for (const auto& [plan, done] : work) {
        const auto& request = plan->request;
        const double flops = evaluation_flops(run.checkpoint.config, run.vocab_size(), plan->windows);
        const double seconds = done.empty() ? flops * *speed++ : 0;
        estimate.seconds += seconds;
        const std::vector<std::string> cells{std::to_string(request.length),
                                             std::to_string(stride_of(request)),
                                             with_commas(static_cast<std::int64_t>(plan->windows.size())),
                                             with_commas(plan->scored()),
                                             strprintf("%.3g", flops),
                                             done.empty() ? about_seconds(seconds) : done};
        for (std::size_t i = 0; i < cells.size(); ++i) table[i].cells.push_back(cells[i]);
    }
    const auto heading =
        strprintf("%s: %s, %s parameters, %s, %s attention", printable(run.name).c_str(), run.checkpoint.config.position.method.c_str(),
                  with_commas(model.parameter_count()).c_str(), std::string(name_of(run.dtype)).c_str(), model.attention().name().c_str());
    estimate.text = wrapped(heading, width) + "\n\n" + aligned_table(table, width);
    return estimate;
}

std::string assumed_text(const MeasuredText& text, const std::string& store, int width) {
    if (!text.is_assumed()) return "";
    return wrapped(
               store + " is no token store yet, so that its tokens cannot be counted: " + with_commas(text.assumed()) + " stand for them.",
               width) +
           "\n";
}

std::string estimate_total(double seconds, const std::string& device, int threads) {
    return strprintf("in all about %s on this machine (%s, %d threads), by passes timed just now and scaled by FLOPs\n",
                     about_seconds(seconds).c_str(), device.c_str(), threads);
}

}  // namespace longbow
