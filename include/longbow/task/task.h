// Synthetic tasks: items with a question and a computed answer, made from a counter, so that training never runs out of
// them and nothing is kept on disk. Each task is one file of this room, which registers the task and its options
// (LONGBOW_REGISTER_TASK); otherwise only its test and docs/configuration.md name it. docs/probes.md describes them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "longbow/config/config.h"
#include "longbow/config/options.h"
#include "longbow/core/random.h"

namespace longbow {

// The ids that all tasks share. A task's own ids follow.
inline constexpr std::int64_t kTaskEnd = 0;  // starts every input (the stream's boundary), ends items, fills rows
inline constexpr std::int64_t kTaskAsk = 1;  // stands between a question and its answer
inline constexpr std::int64_t kFirstTaskId = 2;

struct TaskItem {
    std::vector<std::int64_t> tokens;  // the targets of one input, which itself begins with kTaskEnd
    std::vector<bool> scored;          // of each token: whether it is part of an answer and gives a loss
    double depth = -1;                 // of what is asked for in the item, from 0 (its start) to 1; -1: no such place

    void ask(std::int64_t id) {
        tokens.push_back(id);
        scored.push_back(false);
    }
    void answer(std::int64_t id) {
        tokens.push_back(id);
        scored.push_back(true);
    }
};

// An item's length counts the symbols of its input, which the task defines (TaskEntry::symbol).
class Task {
public:
    virtual ~Task() = default;
    [[nodiscard]] virtual std::int64_t vocab_size() const = 0;
    [[nodiscard]] virtual std::int64_t least_length() const { return 1; }
    [[nodiscard]] virtual std::int64_t max_length() const { return 0; }  // 0: any
    // Returns the most tokens that an item of this length has.
    [[nodiscard]] virtual std::int64_t most_tokens(std::int64_t length) const = 0;
    // Makes an item of this length, which depends on nothing but `random`.
    [[nodiscard]] virtual TaskItem item(std::int64_t length, Random& random) const = 0;
};

struct TaskEntry {
    std::string name{};
    std::string help{};                 // what an item is, with the source
    std::string symbol{};               // what task.length counts: "symbols", "digits", "pairs"
    int version = 1;                    // raised when the same seed gives other items
    std::vector<OptionSpec> options{};  // keys of its own in the section `task`
    std::function<std::unique_ptr<Task>(const OptionMap& options)> make{};
};

// Returns all registered tasks, sorted by name.
const std::vector<TaskEntry>& tasks();
bool register_task(TaskEntry entry);

// Stands at namespace scope in the task's .cpp. The linker keeps it because the room is linked whole.
#define LONGBOW_REGISTER_TASK(...) static const bool longbow_task_registered = ::longbow::register_task(__VA_ARGS__)

// Both throw ConfigError for a name that is not registered. Options that are missing have their defaults.
const TaskEntry& task_entry(const std::string& name);
std::unique_ptr<Task> make_task(const TaskConfig& config);

// Makes an item whose length is uniform in [least, most].
TaskItem make_item(const Task& task, std::int64_t least, std::int64_t most, std::uint64_t item_seed);

// Return the seeds of single items: of the training items, numbered over all runs of a task, and of those that a probe
// scores, numbered within its seed and group. The first argument of each hash keeps the two apart.
std::uint64_t training_item_seed(std::uint64_t index);
std::uint64_t probe_item_seed(std::uint64_t seed, std::uint64_t group, std::uint64_t index);

}  // namespace longbow
