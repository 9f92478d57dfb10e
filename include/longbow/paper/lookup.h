// Finds our own measurements of what the paper measured, in the files of runs.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "longbow/paper/targets.h"
#include "longbow/report/runs.h"

namespace longbow {

struct Measured {
    double value = 0;
    std::optional<double> low, high;  // 95 %
    std::int64_t tokens = 0;          // scored tokens; 0: not an evaluation
    std::string corpus = {};          // of evaluations: the store's name and the split's fingerprint
};
using Lookup = std::function<std::optional<Measured>(const Target&)>;

// Returns the file in a run that has the rows for a target: results.jsonl; early.jsonl for a model at its early stop;
// speed.jsonl for windows in batches.
std::string measurement_file(const Target& target);

// Makes a lookup into `runs`, which must outlive it. A row counts if its position method, training length, length,
// stride, split, token limit and data set are the target's at this scale. If a row names no data set, its store's path
// must not name another of the paper's. Of several rows the last one counts.
Lookup lookup_in(const std::vector<ReportRun>& runs, const Scale& scale);

}  // namespace longbow
