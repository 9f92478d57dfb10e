#include "probe_kinds.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>

#include "longbow/core/error.h"
#include "longbow/core/strings.h"
#include "longbow/probe/attention_probe.h"
#include "longbow/probe/context_probe.h"
#include "longbow/probe/passkey_probe.h"
#include "longbow/probe/task_probe.h"
#include "longbow/report/format.h"
#include "longbow/report/task_report.h"

namespace longbow {

namespace {

constexpr double kNoBound = std::numeric_limits<double>::infinity();
constexpr const char* kPassages = "evaluation length, as a multiple of the trained length";

void plan_tasks(const StudyVariant& variant, const StudyProbe& probe, const MeasuredModel& measured,
                std::vector<ProbeCell>& cells, PlannedProbe& planned) {
    const auto& config = variant.config.task;
    if (!config.chosen()) {
        throw ConfigError(fmt::format("{}: probe.kind: tasks: {} has no task.name in its settings or its base",
                                      probe.place, variant.name));
    }
    const auto task = make_task(config);
    const auto buckets = task_buckets(*task, config.length, measured.max_length);
    planned.mean_share = 0.75;  // of most ranges, whose lengths are uniform
    for (const auto& [from, to] : kTaskRanges) {
        const auto least = from == 0 ? task->least_length() : from * config.length + 1, most = to * config.length;
        ProbeCell cell;
        cell.heading = range_heading(from, to);
        cell.value = "/exact_match";
        cell.interval = "/exact_match_ci";
        cell.x = static_cast<double>(to);
        cell.about = {config.name,        std::to_string(config.length), std::to_string(from),
                      std::to_string(to), std::to_string(least),         std::to_string(most)};
        cell.tags = {{"bucket", {from, to}}, {"lengths", {least, most}}};
        const bool reached = std::any_of(buckets.begin(), buckets.end(),
                                         [&, to_here = to](const TaskBucket& one) { return one.to == to_here; });
        if (reached) {
            cell.rows = {planned.rows.size()};
            planned.rows.push_back({{"task", config.name},
                                    {"task_length", config.length},
                                    {"bucket", {from, to}},
                                    {"generator", task_entry(config.name).version}});
            planned.tokens.push_back(task->most_tokens(most));
        } else if (task->max_length() > 0 && most > task->max_length()) {
            cell.absent = fmt::format("the task ends at {} {}", task->max_length(), task_entry(config.name).symbol);
        } else {
            cell.absent = fmt::format("the positions end at {} tokens", measured.max_length);
        }
        cells.push_back(std::move(cell));
    }
}

// Returns a cell for each length, those that the positions do not reach with the reason.
std::vector<ProbeCell> cells_by_length(const StudyVariant& variant, const StudyProbe& probe,
                                       const MeasuredModel& measured, std::vector<std::int64_t>& lengths) {
    lengths = in_tokens(probe.lengths, probe.multiples, variant.config.train.length);
    std::vector<ProbeCell> cells;
    for (std::size_t i = 0; i < lengths.size(); ++i) {
        auto& cell = cells.emplace_back();
        const bool multiples = probe.lengths.empty();
        cell.heading = multiples ? multiple_text(probe.multiples[i]) : std::to_string(lengths[i]);
        cell.x = multiples ? probe.multiples[i] : static_cast<double>(lengths[i]);
        cell.about = {std::to_string(lengths[i])};
        cell.tags = {{"length", lengths[i]}};
        if (measured.max_length > 0 && lengths[i] > measured.max_length)
            cell.absent = fmt::format("the positions end at {} tokens", measured.max_length);
    }
    return cells;
}

std::string list_of(const std::vector<std::int64_t>& numbers) {
    std::vector<std::string> texts;
    for (const auto number : numbers) texts.push_back(std::to_string(number));
    return join(texts, ",");
}

void plan_passkey(const StudyVariant& variant, const StudyProbe& probe, const MeasuredModel& measured,
                  std::vector<ProbeCell>& cells, PlannedProbe& planned) {
    std::vector<std::int64_t> lengths;
    cells = cells_by_length(variant, probe, measured, lengths);
    for (std::size_t i = 0; i < cells.size(); ++i) {
        if (!cells[i].absent.empty()) continue;
        cells[i].rows = {planned.rows.size()};
        cells[i].value = "/hits";
        cells[i].interval = "/hits_ci";
        planned.rows.push_back({{"length", lengths[i]}, {"generator", kPasskeyGenerator}});
        planned.tokens.push_back(lengths[i]);
    }
    planned.arguments = {"--lengths", list_of(planned.tokens)};
}

void add_text(const StudyVariant& variant, const StudyProbe& probe, PlannedProbe& planned) {
    planned.arguments.insert(planned.arguments.end(), {"--data", variant.config.data.store, "--split", probe.split});
    for (auto& row : planned.rows) row["split"] = probe.split;
}

// One row has all contexts, the trained length among them in any case.
void plan_context(const StudyVariant& variant, const StudyProbe& probe, const MeasuredModel& measured,
                  std::vector<ProbeCell>& cells, PlannedProbe& planned) {
    std::vector<std::int64_t> lengths;
    cells = cells_by_length(variant, probe, measured, lengths);
    auto& contexts = planned.tokens;
    contexts = {variant.config.train.length};
    for (std::size_t i = 0; i < cells.size(); ++i) {
        if (cells[i].absent.empty()) contexts.push_back(lengths[i]);
    }
    std::sort(contexts.begin(), contexts.end());
    contexts.erase(std::unique(contexts.begin(), contexts.end()), contexts.end());
    for (std::size_t i = 0; i < cells.size(); ++i) {
        if (!cells[i].absent.empty()) continue;
        const auto place = std::lower_bound(contexts.begin(), contexts.end(), lengths[i]) - contexts.begin();
        cells[i].rows = {0};
        cells[i].value = fmt::format("/contexts/{}/gain", place);
        cells[i].interval = cells[i].value + "_ci";
    }
    auto& effective = cells.emplace_back();
    effective.heading = "effective";
    effective.rows = {0};
    effective.value = "/effective_context";
    effective.digits = 0;
    effective.about = {effective.heading};
    effective.tags = {{"length", effective.heading}};
    planned.rows.push_back({{"context_lengths", contexts}, {"generator", kContextGenerator}});
    planned.arguments = {"--contexts", list_of(contexts)};
    add_text(variant, probe, planned);
}

// Each number is a mean over all layers and heads.
void plan_attention(const StudyVariant& variant, const StudyProbe& probe, const MeasuredModel& measured,
                    std::vector<ProbeCell>& cells, PlannedProbe& planned) {
    std::vector<std::int64_t> lengths;
    const auto by_length = cells_by_length(variant, probe, measured, lengths);
    if (lengths.size() != 1)
        throw ConfigError(probe.place + ": probe: attention is looked at in windows of one length: name one");
    std::string absent = by_length.front().absent;
    if (measured.attends) absent = "the method computes attention itself";
    const auto& model = variant.config.model;
    if (absent.empty()) {
        for (std::int64_t layer = 0; layer < model.layers; ++layer) {
            for (std::int64_t head = 0; head < model.heads; ++head) {
                planned.rows.push_back({{"length", lengths.front()},
                                        {"layer", layer},
                                        {"head", head},
                                        {"generator", kAttentionGenerator}});
            }
        }
        planned.tokens = lengths;
    }
    for (const char* figure : {"entropy", "entropy_beyond", "sinks", "near", "far"}) {
        auto& cell = cells.emplace_back();
        cell.heading = cell.about.emplace_back(figure);
        std::replace(cell.heading.begin(), cell.heading.end(), '_', ' ');
        cell.tags = {{"figure", figure}, {"length", lengths.front()}};
        cell.absent = absent;
        cell.value = std::string("/") + figure;
        for (std::size_t row = 0; row < planned.rows.size(); ++row) cell.rows.push_back(row);
    }
    planned.arguments = {"--length", std::to_string(lengths.front())};
    add_text(variant, probe, planned);
}

}  // namespace

const std::vector<ProbeKind>& probe_kinds() {
    static const std::vector<ProbeKind> kinds{
        {.name = kProbeOfTasks,
         .items = 500,
         .has_lengths = false,
         .reads_text = false,
         .key = "exact_match",
         .label = "exact match",
         .heading = "Exact match by length",
         .note = "Exact match, the share of items whose whole answer is right",
         .interval = "Wilson's interval, for other items and this training",
         .least = 0,
         .most = 1,
         .x_label = "longest items of a range, as a multiple of the trained length",
         .measured = "new items of {tasks}: {items} for each range of lengths, seed {seed}",
         .columns = {"task_name", "task_length", "above", "up_to", "least_length", "most_length"},
         .also = {"token_accuracy"},
         .plan = plan_tasks},
        {.name = "passkey",
         .items = 100,
         .has_lengths = true,
         .reads_text = false,
         .key = "hits",
         .label = "hits",
         .heading = "Passkeys found by length",
         .note = "Hits, the share of texts in which the hidden number is more probable than 99 others (by chance 0.01)",
         .interval = "Wilson's interval, for other texts and this training",
         .least = 0,
         .most = 1,
         .x_label = kPassages,
         .measured = "{items} texts of each length, seed {seed}",
         .columns = {"length"},
         .also = {"rank"},
         .plan = plan_passkey},
        {.name = "context",
         .items = 500,
         .has_lengths = true,
         .reads_text = true,
         .key = "gain",
         .label = "gain",
         .heading = "Gain by context",
         .note =
             "Gain, the loss of the same targets from L tokens before them less that from so many, in nats, and the "
             "effective context, the fewest tokens whose loss is within 0.01 nats of that from the most",
         .interval = "interval over targets, for this training",
         .least = -kNoBound,
         .most = kNoBound,
         .x_label = "context, as a multiple of the trained length",
         .measured = "{items} targets of the {split} split, seed {seed}",
         .columns = {"length"},
         .also = {},
         .plan = plan_context},
        {.name = "attention",
         .items = 20,
         .has_lengths = true,
         .reads_text = true,
         .key = "value",
         .label = "mean",
         .heading = "Shape of attention",
         .note =
             "Means over layers and heads: entropy over that of even attention, within the trained length and beyond "
             "it; shares of the first 4 keys, of the last 64 and of those at distances of L or more",
         .interval = "none for a single training",
         .least = 0,
         .most = 1,
         .x_label = kPassages,
         .measured = "{items} windows of the {split} split, seed {seed}",
         .columns = {"figure"},
         .also = {},
         .plan = plan_attention}};
    return kinds;
}

const ProbeKind* find_probe_kind(const std::string& name) {
    const auto& kinds = probe_kinds();
    const auto found = std::find_if(kinds.begin(), kinds.end(), [&](const ProbeKind& one) { return one.name == name; });
    return found == kinds.end() ? nullptr : &*found;
}

const ProbeKind& kind_of(const StudyProbe& probe) { return *find_probe_kind(probe.kind); }

}  // namespace longbow
