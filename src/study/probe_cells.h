// What a study plans for its probe, and which rows are what it planned.
#pragma once

#include "longbow/study/study.h"
#include "measured_model.h"

namespace longbow {

// Adds to a variant the cells of the study's probe, and to each of its models the probe that fills them. Throws
// ConfigError that begins with the probe's place in the study's file if the variant's models cannot be asked.
void add_probe_cells(StudyVariant& variant, const StudyProbe& probe, const MeasuredModel& measured,
                     std::vector<PlannedModel>& models);

// Returns whether a row is what the probe of the model measures in its row of this index. It says nothing about the
// model's weights.
bool is_row_of(const ProbeRow& row, const PlannedModel& model, const PlannedProbe& probe, std::size_t index);

// Marks the probes of a model whose rows lie in its run directory, and returns the rows of that file. find_done() has
// been called.
std::vector<ProbeRow> find_probe_rows(PlannedModel& model, const std::filesystem::path& run_dir);

// Gives a variant the rows of one of its models, and its cells their numbers. Of several rows of one measurement, the
// last one counts.
void fill_probe_cells(StudyVariant& variant, const PlannedModel& model, const std::vector<ProbeRow>& rows);

// Computes the spread of the numbers over seeds, by variant and cell, and the differences to the baselines.
std::vector<std::vector<ProbeSummary>> summarize_probes(const StudyPlan& plan);

}  // namespace longbow
