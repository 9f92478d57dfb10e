#include "longbow/probe/context_probe.h"

#include <fmt/core.h>
#include <torch/types.h>

#include <algorithm>

#include "longbow/core/error.h"
#include "longbow/core/random.h"
#include "longbow/core/signals.h"
#include "longbow/core/strings.h"
#include "longbow/eval/evaluator.h"
#include "longbow/model/autocast.h"
#include "longbow/telemetry/terminal.h"

namespace longbow {

namespace {

constexpr std::uint64_t kTargets = 0x636f6e74657874;

MeanEstimate mean_over_items(const std::vector<double>& values) {
    return mean_estimate({values}, std::vector<double>(values.size(), 1.0));
}

std::vector<double> differences(const std::vector<double>& a, const std::vector<double>& b) {
    std::vector<double> values;
    for (std::size_t i = 0; i < a.size(); ++i) values.push_back(a[i] - b[i]);
    return values;
}

std::string ci_text(const Json& interval) {
    return interval.is_null() ? "-"
                              : fmt::format("{:.4f} to {:.4f}", interval[0].get<double>(), interval[1].get<double>());
}

}  // namespace

std::vector<std::int64_t> context_targets(const TokenStream& stream, std::int64_t context,
                                          const ProbeOptions& options) {
    if (stream.size() <= context) {
        throw UsageError(
            fmt::format("the text has {} tokens, and no target has {} before it: take shorter --contexts, or more text",
                        with_commas(stream.size()), context));
    }
    std::vector<std::int64_t> targets;
    for (std::int64_t i = 0; i < options.items; ++i) {
        Random random(seed_of(kTargets, options.seed, i));
        targets.push_back(context +
                          static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(stream.size() - context))));
    }
    std::sort(targets.begin(), targets.end());
    return targets;
}

std::vector<double> context_losses(LanguageModel& model, const TokenStream& stream,
                                   const std::vector<std::int64_t>& targets, std::int64_t context, DType dtype,
                                   std::int64_t max_batch_tokens) {
    const torch::NoGradGuard no_grad;
    const AutocastScope autocast(model.parameters().front().device().type(), scalar_type(dtype));
    const auto batch = static_cast<std::size_t>(std::max<std::int64_t>(1, max_batch_tokens / context));
    std::vector<double> losses;
    for (std::size_t begin = 0; begin < targets.size(); begin += batch) {
        if (stop_requested()) throw InterruptedError("stopped by " + std::string(stop_signal_name()));
        const auto rows = static_cast<std::int64_t>(std::min(batch, targets.size() - begin));
        const auto inputs = torch::empty({rows, context}, torch::kLong);
        const auto wanted = torch::empty({rows}, torch::kLong);
        for (std::int64_t row = 0; row < rows; ++row) {
            const auto target = targets[begin + static_cast<std::size_t>(row)];
            stream.read(target - context, context, inputs.data_ptr<std::int64_t>() + row * context);
            stream.read(target, 1, wanted.data_ptr<std::int64_t>() + row);
        }
        const auto hidden = model.hidden(inputs).select(1, -1).contiguous();  // [rows, dim]
        const auto nll = model.head().nll(hidden, wanted).to(torch::kCPU, torch::kDouble).contiguous();
        losses.insert(losses.end(), nll.const_data_ptr<double>(), nll.const_data_ptr<double>() + rows);
    }
    return losses;
}

Json context_row(Json row, const std::vector<ContextLoss>& losses, std::int64_t train_length) {
    const auto trained = std::find_if(losses.begin(), losses.end(),
                                      [&](const ContextLoss& loss) { return loss.context == train_length; });
    const auto& longest = losses.back();
    row["items"] = longest.nll.size();
    row["contexts"] = row["context_lengths"] = Json::array();
    Json effective = nullptr, bound = nullptr;
    for (const auto& loss : losses) {
        const auto mean = mean_over_items(loss.nll);
        const auto gain = mean_over_items(differences(trained->nll, loss.nll));
        const auto behind = mean_over_items(differences(loss.nll, longest.nll));
        row["contexts"].push_back({{"context", loss.context},
                                   {"nll", mean.mean},
                                   {"nll_ci", interval_json(mean.interval)},
                                   {"gain", gain.mean},
                                   {"gain_ci", interval_json(gain.interval)}});
        row["context_lengths"].push_back(loss.context);
        if (effective.is_null() && behind.mean <= kContextTolerance) effective = loss.context;
        if (bound.is_null() && behind.interval && behind.interval->high <= kContextTolerance) bound = loss.context;
    }
    row["effective_context"] = effective;
    row["effective_context_bound"] = bound;
    return row;
}

std::vector<std::int64_t> contexts_of(const MeasuredRun& run, std::vector<std::int64_t> contexts) {
    const auto length = run.checkpoint.config.train.length;
    if (length == 0) {
        throw UsageError(run.name +
                         ": its trained length is unknown (train.length: 0), and the gain is measured from it");
    }
    if (contexts.empty()) {
        for (auto context = std::max<std::int64_t>(1, length / 8); context <= 8 * length; context *= 2) {
            if (run.max_length == 0 || context <= run.max_length) contexts.push_back(context);
        }
    }
    contexts.push_back(length);
    std::sort(contexts.begin(), contexts.end());
    contexts.erase(std::unique(contexts.begin(), contexts.end()), contexts.end());
    check_length(run.checkpoint.config, run.max_length, contexts.back());
    return contexts;
}

std::vector<Json> probe_context(MeasuredRun& run, LanguageModel& model, const TokenStream& stream,
                                std::vector<std::int64_t> contexts, const ProbeOptions& options) {
    contexts = contexts_of(run, std::move(contexts));
    const auto targets = context_targets(stream, contexts.back(), options);
    std::vector<ContextLoss> losses;
    for (const auto context : contexts) {
        losses.push_back(
            {context, context_losses(model, stream, targets, context, run.dtype, options.max_batch_tokens)});
    }
    auto row = probe_row("context", run, options, kContextGenerator);
    row["data"] = stream.fingerprint();
    return {context_row(std::move(row), losses, run.checkpoint.config.train.length)};
}

std::string context_table(const std::vector<Json>& rows, int width) {
    const auto& row = rows.front();
    std::vector<TableColumn> table{
        {"context", 0, {}}, {"nll", 0, {}}, {"95 % interval", 2, {}}, {"gain", 0, {}}, {"95 % interval", 1, {}}};
    for (const auto& one : row["contexts"]) {
        const std::vector<std::string> cells{
            std::to_string(one["context"].get<std::int64_t>()), fmt::format("{:.4f}", one["nll"].get<double>()),
            ci_text(one["nll_ci"]), fmt::format("{:+.4f}", one["gain"].get<double>()), ci_text(one["gain_ci"])};
        for (std::size_t i = 0; i < cells.size(); ++i) table[i].cells.push_back(cells[i]);
    }
    const auto context = [&](const char* key) {
        return row[key].is_null() ? std::string("none") : std::to_string(row[key].get<std::int64_t>());
    };
    return wrapped(fmt::format(
                       "{}: position {}, trained at length {}, update {}; {} targets, seed {}, generator version {}",
                       printable(row["name"].get<std::string>()), row["position"].get<std::string>(),
                       row["train_length"].get<std::int64_t>(), row["updates"].get<std::int64_t>(),
                       row["items"].get<std::int64_t>(), row["seed"].get<std::uint64_t>(), row["generator"].get<int>()),
                   width) +
           "\n\n" + aligned_table(table, width) + "\n" +
           wrapped(fmt::format("effective context {} tokens (the least whose loss is within {} nats of the longest "
                               "one's), {} with 95 % confidence",
                               context("effective_context"), kContextTolerance, context("effective_context_bound")),
                   width) +
           "\n";
}

}  // namespace longbow
