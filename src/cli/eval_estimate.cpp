#include "eval_estimate.h"

#include <fmt/core.h>

#include <iostream>
#include <vector>

#include "longbow/core/strings.h"
#include "longbow/eval/estimate.h"
#include "longbow/telemetry/terminal.h"

namespace longbow {

namespace {

constexpr double kSeconds = 2;  // of timed passes, for all runs together

struct WorkEstimate {
    std::string text;  // a table with one line for each evaluation
    double seconds = 0;
};

WorkEstimate estimate_work(PlannedRun& planned, const std::string& device, double budget, int width) {
    auto& run = planned.run;
    auto& model = model_on_device(run, device);
    std::vector<const EvalPlan*> timed;
    for (const auto& row : planned.rows) {
        if (row.to_measure) timed.push_back(row.plan);
    }
    const auto speeds = timed.empty() ? std::vector<double>() : seconds_per_flop(model, *planned.stream, timed, budget);

    WorkEstimate estimate;
    std::vector<TableColumn> table{{"length", 0, {}}, {"stride", 1, {}}, {"windows", 3, {}},
                                   {"tokens", 2, {}}, {"FLOPs", 4, {}},  {"time", 0, {}}};
    auto speed = speeds.begin();
    for (const auto& row : planned.rows) {
        const double seconds = row.to_measure ? row.flops * *speed++ : 0;
        estimate.seconds += seconds;
        const std::vector<std::string> cells{std::to_string(row.expected.length),
                                             std::to_string(row.expected.stride),
                                             with_commas(static_cast<std::int64_t>(row.plan->windows.size())),
                                             with_commas(row.plan->scored()),
                                             fmt::format("{:.3g}", row.flops),
                                             row.to_measure ? rounded_duration_text(seconds) : "done"};
        for (std::size_t i = 0; i < cells.size(); ++i) table[i].cells.push_back(cells[i]);
    }
    const auto heading = fmt::format(
        "{}: {}, {} parameters, {}, {} attention", printable(run.name), run.checkpoint.config.position.method_names(),
        with_commas(model.parameter_count()), name_of(run.dtype), model.attention().name());
    estimate.text = wrapped(heading, width) + "\n\n" + aligned_table(table, width);
    return estimate;
}

// Says that the tokens are assumed; empty if they are not.
std::string assumed_text(const MeasurePlan& plan, int width) {
    if (!plan.text().is_assumed()) return "";
    return wrapped(plan.request().store + " does not exist yet: the estimate assumes " +
                       with_commas(plan.text().assumed()) + " tokens.",
                   width) +
           "\n";
}

}  // namespace

void print_estimates(MeasurePlan& plan) {
    const int width = stdout_is_terminal() ? stdout_width() : 0;
    const auto& request = plan.request();
    const double budget = kSeconds / static_cast<double>(plan.runs().size());
    double seconds = 0;
    for (auto& run : plan.runs()) {
        const auto estimate = estimate_work(run, request.device, budget, width);
        run.run.checkpoint.model.reset();
        std::cout << estimate.text << "\n" << std::flush;
        seconds += estimate.seconds;
    }
    std::cout << assumed_text(plan, width)
              << fmt::format(
                     "in all about {} on this machine ({}, {} threads), by passes timed just now and scaled by FLOPs\n",
                     rounded_duration_text(seconds), request.device, request.threads);
}

}  // namespace longbow
