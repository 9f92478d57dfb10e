// Keeps the registry of tasks and numbers their items.
#include "longbow/task/task.h"

#include <fmt/core.h>

#include <optional>
#include <utility>

#include "longbow/config/context.h"
#include "longbow/core/error.h"
#include "longbow/core/registry.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

constexpr std::uint64_t kTraining = 0x747261696e, kProbe = 0x70726f6265;

Registry<TaskEntry>& registry() {
    static Registry<TaskEntry> entries("task");
    return entries;
}

// A task checks its options when it is made; its message begins with the key.
std::optional<Objection> objection_to_options(const TaskConfig& config) {
    try {
        (void)make_task(config);
        return std::nullopt;
    } catch (const ConfigError& error) {
        const std::string message = error.what();
        const auto colon = message.find(": ");
        if (colon == std::string::npos) throw;
        return Objection{{message.substr(0, colon)}, message.substr(colon + 2)};
    }
}

std::optional<Objection> objection_to(const Config& config) {
    if (auto objection = objection_to_options(config.task)) return objection;
    const auto task = make_task(config.task);
    const auto& symbol = task_entry(config.task.name).symbol;
    const auto length = config.task.length;
    if (length < task->least_length()) {
        return Objection{
            {"task.length"},
            fmt::format("an item has at least {} {}, so {} is too short", task->least_length(), symbol, length)};
    }
    if (task->max_length() > 0 && length > task->max_length()) {
        return Objection{{"task.length"},
                         fmt::format("with these options an item has at most {} {}", task->max_length(), symbol)};
    }
    const std::pair<const char*, const Duration&> durations[] = {{"train.stop", config.train.stop},
                                                                 {"schedule.warmup", config.schedule.warmup},
                                                                 {"schedule.period", config.schedule.period}};
    for (const auto& [key, duration] : durations) {
        if (duration.unit == Duration::Unit::epochs)
            return Objection{{key}, "a task's items are always new, so there are no epochs: give updates or tokens"};
    }
    if (const auto tokens = task->most_tokens(length); config.train.length < tokens) {
        return Objection{{"train.length", "task.length"},
                         fmt::format("an item of {} {} has up to {} tokens, more than train.length ({}): set "
                                     "train.length: {}",
                                     length, symbol, tokens, config.train.length, tokens)};
    }
    return std::nullopt;
}

const ContextSource context_source([](ConfigContext& context) {
    context.tasks.push_back({.name = kNoTask, .help = "No task: the section `data` names what is trained on"});
    for (const auto& entry : tasks()) {
        context.tasks.push_back({.name = entry.name,
                                 .help = entry.help + ". `task.length` counts " + entry.symbol,
                                 .options = entry.options,
                                 .check = objection_to});
    }
});

}  // namespace

bool register_task(TaskEntry entry) { return registry().add(std::move(entry)); }

const std::vector<TaskEntry>& tasks() { return registry().entries(); }

const TaskEntry& task_entry(const std::string& name) {
    if (const auto* entry = registry().find(name)) return *entry;
    throw ConfigError("task.name: " + name + " is none of " + join(registry().names(), ", "));
}

std::unique_ptr<Task> make_task(const TaskConfig& config) {
    const auto& entry = task_entry(config.name);
    auto options = config.options;
    fill_defaults(options, entry.options);
    return entry.make(options);
}

TaskItem make_item(const Task& task, std::int64_t least, std::int64_t most, std::uint64_t item_seed) {
    Random random(item_seed);
    const auto length = least + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(most - least + 1)));
    return task.item(length, random);
}

std::uint64_t training_item_seed(std::uint64_t index) { return seed_of(kTraining, index); }

std::uint64_t probe_item_seed(std::uint64_t seed, std::uint64_t group, std::uint64_t index) {
    return seed_of(kProbe, seed, group, index);
}

}  // namespace longbow
