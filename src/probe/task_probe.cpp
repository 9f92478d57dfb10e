#include "longbow/probe/task_probe.h"

#include <fmt/core.h>
#include <torch/types.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "longbow/core/error.h"
#include "longbow/core/signals.h"
#include "longbow/model/autocast.h"
#include "longbow/telemetry/log.h"
#include "longbow/telemetry/terminal.h"

namespace longbow {

namespace {

constexpr std::size_t kDepthBins = 10;

std::int64_t tokens_of(const TaskItem& item) { return std::ssize(item.tokens); }

// Scores items [begin, end) of `order` in one pass. Shorter ones are filled up at their ends, which no earlier place
// sees.
void score_batch(LanguageModel& model, const std::vector<TaskItem>& items, const std::vector<std::size_t>& order,
                 std::size_t begin, std::size_t end, std::vector<ItemScore>& scores) {
    const auto rows = static_cast<std::int64_t>(end - begin);
    const auto length = tokens_of(items[order[end - 1]]);
    const auto inputs = torch::full({rows, length}, kTaskEnd, torch::kLong);
    std::vector<std::int64_t> places, targets;
    std::vector<std::size_t> owners;
    for (std::int64_t row = 0; row < rows; ++row) {
        const auto index = order[begin + static_cast<std::size_t>(row)];
        const auto& item = items[index];
        auto* in = inputs.data_ptr<std::int64_t>() + row * length;
        std::copy(item.tokens.begin(), item.tokens.end() - 1, in + 1);
        for (std::size_t at = 0; at < item.tokens.size(); ++at) {
            if (!item.scored[at]) continue;
            places.push_back(row * length + static_cast<std::int64_t>(at));
            targets.push_back(item.tokens[at]);
            owners.push_back(index);
        }
    }
    auto hidden = model.hidden(inputs);  // [rows, length, dim]
    hidden = hidden.view({-1, hidden.size(2)});
    hidden = hidden.index_select(0, torch::tensor(places, torch::kLong).to(hidden.device()));
    const auto best = model.head().logits(hidden).argmax(1).to(torch::kCPU).contiguous();  // [places]
    for (std::size_t i = 0; i < owners.size(); ++i) {
        auto& score = scores[owners[i]];
        ++score.total;
        if (best.const_data_ptr<std::int64_t>()[i] == targets[i]) ++score.right;
    }
}

std::vector<TaskItem> items_of(const Task& task, const TaskBucket& bucket, const ProbeOptions& options) {
    std::vector<TaskItem> items;
    for (std::int64_t i = 0; i < options.items; ++i) {
        items.push_back(make_item(
            task, bucket.least, bucket.most,
            probe_item_seed(options.seed, static_cast<std::uint64_t>(bucket.to), static_cast<std::uint64_t>(i))));
    }
    return items;
}

std::int64_t exact_of(const std::vector<ItemScore>& scores) {
    return std::count_if(scores.begin(), scores.end(), [](const ItemScore& score) { return score.exact; });
}

Json depth_json(const std::vector<ItemScore>& scores) {
    std::array<std::vector<ItemScore>, kDepthBins> bins;
    for (const auto& score : scores) {
        const auto bin = static_cast<std::size_t>(score.depth * static_cast<double>(kDepthBins));
        bins[std::min(bin, kDepthBins - 1)].push_back(score);
    }
    Json depths = Json::array();
    for (std::size_t bin = 0; bin < kDepthBins; ++bin) {
        const auto items = std::ssize(bins[bin]);
        const auto exact = exact_of(bins[bin]);
        Json share = nullptr, interval = nullptr;
        if (items > 0) {
            share = static_cast<double>(exact) / static_cast<double>(items);
            interval = interval_json(wilson_interval(exact, items));
        }
        depths.push_back({{"from", static_cast<double>(bin) / static_cast<double>(kDepthBins)},
                          {"items", items},
                          {"exact_match", share},
                          {"exact_match_ci", interval}});
    }
    return depths;
}

// The tokens of one answer stand or fall together, so that the interval of their accuracy is one over items.
MeanEstimate token_accuracy(const std::vector<ItemScore>& scores) {
    std::vector<double> right, total;
    for (const auto& score : scores) {
        right.push_back(static_cast<double>(score.right));
        total.push_back(static_cast<double>(score.total));
    }
    return mean_estimate({right}, total);
}

std::string interval_text(const Json& interval) {
    return interval.is_null() ? "-"
                              : fmt::format("{:.3f} to {:.3f}", interval[0].get<double>(), interval[1].get<double>());
}

std::string bucket_text(const Json& row) {
    return fmt::format("{} to {}", row["lengths"][0].get<std::int64_t>(), row["lengths"][1].get<std::int64_t>());
}

}  // namespace

std::vector<TaskBucket> task_buckets(const Task& task, std::int64_t task_length, std::int64_t max_tokens) {
    std::vector<TaskBucket> buckets;
    for (const auto& [from, to] : kTaskRanges) {
        const TaskBucket bucket{from, to, from == 0 ? task.least_length() : from * task_length + 1, to * task_length};
        const bool made = task.max_length() == 0 || bucket.most <= task.max_length();
        const bool served = max_tokens == 0 || task.most_tokens(bucket.most) <= max_tokens;
        if (made && served) buckets.push_back(bucket);
    }
    return buckets;
}

std::vector<ItemScore> score_items(LanguageModel& model, const std::vector<TaskItem>& items, DType dtype,
                                   std::int64_t max_batch_tokens) {
    const torch::NoGradGuard no_grad;
    const AutocastScope autocast(model.parameters().front().device().type(), scalar_type(dtype));
    std::vector<std::size_t> order(items.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return tokens_of(items[a]) < tokens_of(items[b]); });
    // Filling up changes what a method sees that depends on the number of tokens.
    const bool only_equal = model.position().depends_on_length();
    std::vector<ItemScore> scores(items.size());
    for (std::size_t begin = 0, end = 0; begin < order.size(); begin = end) {
        if (stop_requested()) throw InterruptedError("stopped by " + std::string(stop_signal_name()));
        for (end = begin + 1; end < order.size(); ++end) {
            const auto length = tokens_of(items[order[end]]);
            if (static_cast<std::int64_t>(end - begin + 1) * length > max_batch_tokens) break;
            if (only_equal && length != tokens_of(items[order[begin]])) break;
        }
        score_batch(model, items, order, begin, end, scores);
    }
    for (std::size_t i = 0; i < items.size(); ++i) {
        scores[i].exact = scores[i].right == scores[i].total;
        scores[i].depth = items[i].depth;
    }
    return scores;
}

void check_task_run(const MeasuredRun& run) {
    if (run.checkpoint.config.task.chosen()) return;
    throw UsageError(run.name +
                     " was trained on text and not on a task: `longbow probe tasks` takes runs of a configuration with "
                     "task.name (docs/probes.md)");
}

void check_depths(const MeasuredRun& run) {
    check_task_run(run);
    const auto& config = run.checkpoint.config.task;
    const auto task = make_task(config);
    if (make_item(*task, task->least_length(), config.length, /*seed=*/0).depth >= 0) return;
    throw UsageError(run.name + " was trained on " + config.name +
                     ", whose items hide nothing at a depth: only runs of the task needle have a map of depths");
}

std::vector<Json> probe_task(MeasuredRun& run, LanguageModel& model, const ProbeOptions& options) {
    check_task_run(run);
    const auto& config = run.checkpoint.config;
    const auto task = make_task(config.task);
    const auto& entry = task_entry(config.task.name);
    const auto buckets = task_buckets(*task, config.task.length, run.max_length);
    if (buckets.empty() || buckets.back().to < 8) {
        log::warn(fmt::format("{}: lengths above {} {} are left out: {}", run.name,
                              buckets.empty() ? 0 : buckets.back().most, entry.symbol,
                              task->max_length() > 0 && task->max_length() < 8 * config.task.length
                                  ? fmt::format("the task ends at {}", task->max_length())
                                  : fmt::format("its position method ends at {} tokens", run.max_length)));
    }
    std::vector<Json> rows;
    for (const auto& bucket : buckets) {
        const auto scores = score_items(model, items_of(*task, bucket, options), run.dtype, options.max_batch_tokens);
        const auto exact = exact_of(scores);
        const auto tokens = token_accuracy(scores);
        auto row = probe_row("tasks", run, options, entry.version);
        row["task"] = entry.name;
        row["task_length"] = config.task.length;
        row["symbol"] = entry.symbol;
        row["bucket"] = {bucket.from, bucket.to};
        row["lengths"] = {bucket.least, bucket.most};
        row["items"] = options.items;
        row["exact_match"] = static_cast<double>(exact) / static_cast<double>(options.items);
        row["exact_match_ci"] = interval_json(wilson_interval(exact, options.items));
        row["token_accuracy"] = tokens.mean;
        row["token_accuracy_ci"] = interval_json(tokens.interval);
        if (scores.front().depth >= 0) row["depths"] = depth_json(scores);
        rows.push_back(std::move(row));
    }
    return rows;
}

std::string task_table(const std::vector<Json>& rows, int width) {
    if (rows.empty()) return "";
    const auto& first = rows.front();
    const auto text = [&](const char* key) { return first[key].get<std::string>(); };
    std::vector<TableColumn> table{{text("symbol"), 0, {}}, {"times", 1, {}},         {"items", 4, {}},
                                   {"exact match", 0, {}},  {"95 % interval", 2, {}}, {"token accuracy", 0, {}},
                                   {"95 % interval", 3, {}}};
    for (const auto& row : rows) {
        const std::vector<std::string> cells{
            bucket_text(row),
            fmt::format("{} to {}", row["bucket"][0].get<int>(), row["bucket"][1].get<int>()),
            std::to_string(row["items"].get<std::int64_t>()),
            fmt::format("{:.3f}", row["exact_match"].get<double>()),
            interval_text(row["exact_match_ci"]),
            fmt::format("{:.3f}", row["token_accuracy"].get<double>()),
            interval_text(row["token_accuracy_ci"])};
        for (std::size_t i = 0; i < cells.size(); ++i) table[i].cells.push_back(cells[i]);
    }
    auto out =
        wrapped(
            fmt::format("{}: position {}, task {} trained up to {} {}, update {}; seed {}, generator version {}",
                        printable(text("name")), text("position"), text("task"),
                        first["task_length"].get<std::int64_t>(), text("symbol"), first["updates"].get<std::int64_t>(),
                        first["seed"].get<std::uint64_t>(), first["generator"].get<int>()),
            width) +
        "\n\n" + aligned_table(table, width);
    if (!first.contains("depths")) return out;
    std::vector<TableColumn> depths{{text("symbol"), 0, {}}};
    for (const auto& bin : first["depths"]) depths.push_back({fmt::format("{:.1f}", bin["from"].get<double>()), 1, {}});
    for (const auto& row : rows) {
        depths[0].cells.push_back(bucket_text(row));
        for (std::size_t bin = 0; bin < kDepthBins; ++bin) {
            const auto& share = row["depths"][bin]["exact_match"];
            depths[bin + 1].cells.push_back(share.is_null() ? "-" : fmt::format("{:.2f}", share.get<double>()));
        }
    }
    return out + "\nexact match by depth, from the start of the haystack (0.0) on:\n\n" + aligned_table(depths, width);
}

}  // namespace longbow
