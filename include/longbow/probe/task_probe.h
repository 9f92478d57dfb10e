// Scores a run on new items of the task that it was trained on, within and beyond the trained length.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "longbow/model/language_model.h"
#include "longbow/probe/probe_row.h"
#include "longbow/task/task.h"

namespace longbow {

// Items whose length is above from * task.length (from the task's least length on if `from` is 0) and at most
// to * task.length.
struct TaskBucket {
    std::int64_t from = 0, to = 1;
    std::int64_t least = 1, most = 1;  // lengths of items, uniform between them
};

// The ranges of lengths, in multiples of task.length.
inline constexpr std::array<std::pair<std::int64_t, std::int64_t>, 4> kTaskRanges{{{0, 1}, {1, 2}, {2, 4}, {4, 8}}};

// Returns the buckets of kTaskRanges as far as the task has items and the model a position for each of their tokens.
// `max_tokens` is MeasuredRun::max_length.
std::vector<TaskBucket> task_buckets(const Task& task, std::int64_t task_length, std::int64_t max_tokens);

struct ItemScore {
    bool exact = false;                 // each token of the answer is right
    std::int64_t right = 0, total = 0;  // tokens of the answer
    double depth = -1;                  // TaskItem::depth
};

// Scores items by the most probable token at each place of the answer, given the question and the right tokens before.
// An answer is exact in this sense if and only if greedy decoding gives it: the first token in which decoding differs
// is one whose predecessors are right, so that this pass finds the same mistake. One pass scores an item instead of one
// a token. The model is in evaluation mode.
std::vector<ItemScore> score_items(LanguageModel& model, const std::vector<TaskItem>& items, DType dtype,
                                   std::int64_t max_batch_tokens);

// Returns a row for each bucket of the run's task. Throws UsageError if the run was not trained on a task.
std::vector<Json> probe_task(MeasuredRun& run, LanguageModel& model, const ProbeOptions& options);
void check_task_run(const MeasuredRun& run);
// Throws UsageError if the items of the run's task hide nothing at a depth.
void check_depths(const MeasuredRun& run);

// Returns the rows of one run as text: a table of the buckets and, for needles, one of the depths.
std::string task_table(const std::vector<Json>& rows, int width);

}  // namespace longbow
