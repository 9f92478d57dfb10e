// What a study plans for the probe `tasks`, and which rows are what it planned.
#pragma once

#include <cstdint>

#include "longbow/study/study.h"

namespace longbow {

// Adds to a variant a cell for each range of lengths, and to each of its models the probe that fills them. `max_length`
// is the longest input in tokens that the variant's positions serve; 0: any. Throws ConfigError that begins with the
// probe's place in the study's file if the variant's models have no task.
void add_task_cells(StudyVariant& variant, const StudyProbe& probe, std::int64_t max_length,
                    std::vector<PlannedModel>& models);

// Returns whether a row is what the probe of the model measures in its range of this index. It says nothing about the
// model's weights.
bool is_row_of(const TaskScore& score, const PlannedModel& model, const PlannedProbe& probe, std::size_t range);

// Marks the probes of a model whose rows lie in its run directory, and returns the rows of that file. find_done() has
// been called.
std::vector<TaskScore> find_task_scores(PlannedModel& model, const std::filesystem::path& run_dir);

// Gives a variant's cells the rows of one of its models. Of several rows of one measurement, the last one counts.
void fill_task_cells(StudyVariant& variant, const PlannedModel& model, const std::vector<TaskScore>& scores);

// Computes the spread of the exact match over seeds, by variant and range, and the differences to the baselines.
std::vector<std::vector<TaskSummary>> summarize_tasks(const StudyPlan& plan);

}  // namespace longbow
