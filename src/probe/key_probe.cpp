#include "longbow/probe/key_probe.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "longbow/core/error.h"
#include "longbow/core/strings.h"
#include "longbow/eval/evaluator.h"
#include "longbow/telemetry/terminal.h"

namespace longbow {

std::vector<bool> key_tokens(const std::vector<double>& shorter, const std::vector<double>& longer,
                             const KeyWindows& windows) {
    std::vector<bool> keys(longer.size());
    for (auto i = static_cast<std::size_t>(windows.longer); i < keys.size(); ++i)
        keys[i] = shorter[i] - longer[i] > kKeyGain && longer[i] < kKeyLoss;
    return keys;
}

std::vector<double> sliding_losses(LanguageModel& model, const TokenStream& stream, std::int64_t length,
                                   const KeyWindows& windows, DType dtype, const ProbeOptions& options) {
    EvalRequest request;
    request.length = length;
    request.stride = windows.stride;
    request.max_stream_tokens = windows.max_stream_tokens;
    request.max_batch_tokens = options.max_batch_tokens;
    request.dtype = dtype;
    EvalOptions progress;
    progress.label = fmt::format("length {}", length);
    return evaluate_tokens(model, stream, plan_evaluation(stream, request), progress);
}

Json key_row(Json row, const std::vector<double>& nll, const std::vector<bool>& keys, const KeyWindows& windows) {
    std::vector<double> of_keys(nll.size()), counts(nll.size());
    for (std::size_t i = 0; i < nll.size(); ++i) {
        if (keys[i]) of_keys[i] = nll[i];
        counts[i] = keys[i] ? 1.0 : 0.0;
    }
    const auto items = std::count(keys.begin(), keys.end(), true);
    row["items"] = items;
    row["targets"] = std::max<std::int64_t>(0, std::ssize(nll) - windows.longer);
    row["short"] = windows.shorter;
    row["long"] = windows.longer;
    row["stride"] = windows.stride;
    row["nll"] = row["key_ppl"] = row["key_ppl_ci"] = nullptr;
    if (items == 0) return row;
    const auto mean = mean_estimate({block_sums(of_keys)}, block_sums(counts));
    row["nll"] = mean.mean;
    row["key_ppl"] = std::exp(mean.mean);
    if (mean.interval) row["key_ppl_ci"] = {std::exp(mean.interval->low), std::exp(mean.interval->high)};
    return row;
}

KeyWindows windows_of(const MeasuredRun& run, const MeasuredRun& evaluator, KeyWindows windows) {
    if (run.checkpoint.fingerprint == evaluator.checkpoint.fingerprint && run.overrides == evaluator.overrides) {
        throw UsageError(run.name +
                         " is the evaluator itself: a model that chooses the tokens it is measured on says nothing; "
                         "name another run with --evaluator");
    }
    if (run.tokenizer != evaluator.tokenizer) {
        throw UsageError(
            fmt::format("{} and the evaluator {} have different tokenizers, so that their tokens cannot be compared",
                        run.name, evaluator.name));
    }
    if (windows.shorter == 0) windows.shorter = run.checkpoint.config.train.length;
    if (windows.longer == 0) windows.longer = evaluator.checkpoint.config.train.length;
    if (windows.stride == 0) windows.stride = std::max<std::int64_t>(1, windows.shorter / 4);
    if (windows.shorter < 1 || windows.longer < windows.shorter + windows.stride) {
        throw UsageError(fmt::format(
            "{}: the long context of {} tokens is not longer than the short one of {} by the stride of {} at least: take "
            "an evaluator that was trained at a greater length, or set --short, --long and --stride",
            run.name, windows.longer, windows.shorter, windows.stride));
    }
    if (windows.stride > windows.shorter)
        throw UsageError("--stride: windows of the short context have no more tokens than that");
    for (const auto* one : {&run, &evaluator}) check_length(one->checkpoint.config, one->max_length, windows.longer);
    return windows;
}

std::string key_table(const std::vector<Json>& rows, int width) {
    const auto& row = rows.front();
    const auto number = [&](const char* key) { return row[key].get<std::int64_t>(); };
    auto text = wrapped(
        fmt::format("{}: position {}, trained at length {}, update {}; evaluator {}, contexts {} and {}, stride {}",
                    printable(row["name"].get<std::string>()), row["position"].get<std::string>(),
                    number("train_length"), number("updates"), printable(row["evaluator"].get<std::string>()),
                    number("short"), number("long"), number("stride")),
        width);
    const auto& ci = row["key_ppl_ci"];
    text += fmt::format(
        "\n\nkey-token perplexity {}{} over {} key tokens of {}\n",
        row["key_ppl"].is_null() ? "-" : fmt::format("{:.3f}", row["key_ppl"].get<double>()),
        ci.is_null() ? "" : fmt::format(" (95 %: {:.3f} to {:.3f})", ci[0].get<double>(), ci[1].get<double>()),
        with_commas(number("items")), with_commas(number("targets")));
    return text;
}

}  // namespace longbow
