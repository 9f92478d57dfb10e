// Tables of rows that `longbow probe tasks` wrote: the exact match of models on new items of a task, by ranges of
// lengths.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "longbow/core/interval.h"
#include "longbow/core/json.h"
#include "longbow/report/format.h"

namespace longbow {

// Holds what values of several seeds say. `sd` is their standard deviation (n - 1).
struct SeedSummary {
    std::int64_t seeds = 0;
    double mean = 0, sd = 0;
    std::optional<Interval> interval;  // 95 %
};
// With several values the interval is that of their mean by Student's t, cut off at `least` and `most`, between which
// all values lie; with one it is `of_one`, for other items and this training.
SeedSummary summary_of_values(const std::vector<double>& values, const std::optional<Interval>& of_one, double least,
                              double most);
std::optional<Interval> bounded(std::optional<Interval> interval, double least, double most);

// Returns "to L", "L to 2L", "2L to 4L": lengths above `from` and up to `to` times the trained one.
std::string range_heading(std::int64_t from, std::int64_t to);

using TaskRange = std::pair<std::int64_t, std::int64_t>;  // above, up to; in multiples of the trained length

struct TaskCellRows {
    SeedSummary summary;
    std::vector<Json> rows;  // one a seed, as they were read
};

struct TaskModel {
    std::string label, position;
    std::map<TaskRange, TaskCellRows> cells;
};

// Holds models that were asked the same items.
struct TaskReport {
    std::string task, symbol;
    std::int64_t task_length = 0, items = 0;
    std::uint64_t items_seed = 0;
    std::string dtype;
    std::vector<TaskRange> ranges;  // that any model has
    std::vector<TaskModel> models;
};

// Returns the files with rows of tasks that the inputs of a report stand for: files of such rows, and the probes.jsonl
// of runs in folders without any results.jsonl. Empty if the inputs are results. Throws UsageError if they are of both
// kinds, and DataError if a file has rows of both, or none of the probe `tasks`.
std::vector<std::string> task_files(const std::vector<std::string>& inputs);

// Reads the files and groups their rows: those that differ only in the seed of the training are one model, and of
// several rows of one measurement the last one counts. Throws DataError "FILE:LINE" for a damaged row.
std::vector<TaskReport> make_task_reports(const std::vector<std::string>& files);

std::string render_task_reports(const std::vector<TaskReport>& reports, TextFormat format);

}  // namespace longbow
