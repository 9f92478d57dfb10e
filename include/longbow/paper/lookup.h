// Our own measurements of what the paper measured, found in what runs left behind.
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
    std::int64_t tokens = 0;          // scored; 0: no evaluation
    std::string corpus = {};          // evaluations: the store's name and the split's fingerprint
};
using Lookup = std::function<std::optional<Measured>(const Target&)>;

// Where in a run the rows lie that tell of a target: results.jsonl; early.jsonl for a model that was stopped early on its way; speed.jsonl
// for windows in batches.
std::string measurement_file(const Target& target);

// Finds targets in what runs left behind; `runs` must outlive it. Rows count when position, training length, length, stride,
// split and token limit are the target's at this scale, and the data set is not another of the paper's by its store's path; of several the
// last one.
Lookup lookup_in(const std::vector<ReportRun>& runs, const Scale& scale);

}  // namespace longbow
