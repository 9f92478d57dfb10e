#include "longbow/eval/measure.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>
#include <utility>

#include "longbow/config/context.h"
#include "longbow/config/load.h"
#include "longbow/core/error.h"
#include "longbow/core/strings.h"
#include "longbow/model/device_memory.h"

namespace longbow {

namespace {

// In a dry run, this many tokens stand for a store that does not exist; fewer if fewer are to be scored.
constexpr std::int64_t kAssumedTokens = 1'000'000;

std::int64_t assumed_tokens(const MeasureRequest& request) {
    if (!request.only_estimates) return 0;
    std::int64_t most = 0;
    for (const auto& evaluation : request.evaluations) {
        const auto limit = evaluation.max_stream_tokens;
        most = std::max(most, limit > 0 ? std::min(limit, kAssumedTokens) : kAssumedTokens);
    }
    return most;
}

// Fills in what depends on the run: its type, and the rule of its family for a BOS. Given ids have the BOS that whoever
// made them wanted.
EvalRequest of_run(EvalRequest request, const MeasuredRun& run, const MeasuredText& text) {
    request.dtype = run.dtype;
    const auto& protocol = protocol_named(request.protocol);
    if (protocol.takes_bos && !protocol.default_bos && !request.bos && !text.is_ids()) request.bos = run.checkpoint.bos;
    return request;
}

// Returns the row as it will be, without its numbers. results.jsonl is searched for it.
EvalResult row_without_numbers(const MeasuredRun& run, const TokenStream& stream, const EvalRequest& request) {
    const auto& checkpoint = run.checkpoint;
    auto config = checkpoint.config;
    const auto print = [&] { return config_fingerprint(config, registered_config_context()); };
    EvalResult row;
    row.name = run.name;
    row.model = run.model;
    row.overrides = run.overrides;
    row.name += row.name_suffix();
    row.position = config.position.method_names();
    row.train_length = config.train.length;
    row.seed = config.train.seed;
    row.updates = checkpoint.state.updates;
    row.checkpoint = checkpoint.fingerprint;
    row.tokenizer = run.tokenizer;
    row.config = print();
    config.train.seed = 0;
    config.train.seeds.clear();
    row.config_group = print();
    row.data = stream.fingerprint();
    take_settings(row, request);
    return row;
}

std::string label_of(const EvalResult& row, const std::vector<EvalRequest>& evaluations) {
    const auto of_length = std::count_if(evaluations.begin(), evaluations.end(),
                                         [&](const EvalRequest& one) { return one.length == row.length; });
    return row.name + fmt::format(", length {}", row.length) +
           (of_length > 1 ? fmt::format(", stride {}", row.stride) : "");
}

}  // namespace

void take_model_overrides(MeasureRequest& request) {
    auto& choice = request.model;
    choice.overrides = take_overrides(request.checkpoints);
    if (request.checkpoints.empty())
        throw UsageError(choice.overrides.front() + " changes a setting of a checkpoint: name one, or more");
    for (const auto& text : choice.overrides) {
        if (!choice.attention.empty() && starts_with(text, "attention.backend="))
            throw UsageError("--attention " + choice.attention + " and " + text + ": choose one of the two");
    }
}

MeasurePlan::MeasurePlan(MeasureRequest request, bool warns, const std::function<void(const MeasuredRun&)>& check)
    : request_(std::move(request)), text_(request_, request_.threads, assumed_tokens(request_)) {
    std::set<std::pair<const TokenStream*, std::int64_t>> warned;  // runs that share a text are warned about it once
    auto runs = load_runs(request_.checkpoints, request_.model, [&](const MeasuredRun& run) {
        const auto& stream = text_.stream(run);
        for (const auto& evaluation : request_.evaluations) {
            const auto own = of_run(evaluation, run, text_);
            windows_.of(stream, own);
            check_length(run.checkpoint.config, run.max_length, own.length);
            if (warns && warned.emplace(&stream, own.length).second) warn_if_unreached(plan_request(stream, own));
        }
        if (check) check(run);
    });
    for (auto& run : runs) plan_rows(runs_.emplace_back(PlannedRun{std::move(run), nullptr, {}, {}}));
}

void MeasurePlan::plan_rows(PlannedRun& planned) {
    const auto& run = planned.run;
    planned.stream = &text_.stream(run);
    for (const auto& evaluation : request_.evaluations) {
        auto& row = planned.rows.emplace_back();
        row.plan = &windows_.of(*planned.stream, of_run(evaluation, run, text_));
        row.expected = row_without_numbers(run, *planned.stream, row.plan->request);
        row.expected.split = text_.split();
        row.expected.data_set = request_.data_set.empty() ? text_.data_set() : request_.data_set;
        row.expected.device = request_.device;
        row.label = label_of(row.expected, request_.evaluations);
        row.flops = evaluation_flops(run.checkpoint.config, run.vocab_size(), row.plan->windows,
                                     /*merged=*/!run.depends_on_length);
    }
}

double MeasurePlan::flops() const {
    double flops = 0;
    for (const auto& planned : runs_) {
        for (const auto& row : planned.rows) flops += row.to_measure ? row.flops : 0;
    }
    return flops;
}

void MeasurePlan::each_run(const std::function<void(PlannedRun&)>& work) {
    for (auto& planned : runs_) {
        runs_.size() == 1 ? work(planned) : named(planned.run, [&] { work(planned); });
        planned.run.checkpoint.model.reset();  // at most one model is in memory
    }
}

MeasuredRow measure_row(const MeasurePlan& plan, PlannedRun& run, const PlannedRow& row,
                        const std::filesystem::path& partial, WorkProgress& progress, const EvalShare& share) {
    auto& model = model_on_device(run.run, row.expected.device);
    reset_peak_memory(row.expected.device);
    EvalTiming timing;
    EvalOptions options;
    options.label = row.label;
    options.whole = &progress;
    options.partial = partial;
    options.keep_partial = true;  // the caller removes it when it has used the row
    options.timing = &timing;
    options.share = share;
    MeasuredRow measured;
    measured.nll = evaluate_tokens(model, *run.stream, *row.plan, options);
    measured.row = summarise(measured.nll, *run.stream, *row.plan, row.expected);
    measured.row.data_name = plan.text().name();
    measured.row.tokens_per_second = timing.seconds > 0 ? static_cast<double>(timing.tokens) / timing.seconds : 0;
    measured.row.visited_fraction = timing.visited_fraction;
    measured.row.rounded_bias = timing.rounded_bias;
    measured.row.peak_memory_mb = peak_memory_mb(row.expected.device);
    return measured;
}

}  // namespace longbow
