// Rows of probes.jsonl: what a probe has found in one model. Each names the model, the seed of its items and the
// version of their generator, so that it can be made again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "longbow/core/interval.h"
#include "longbow/core/json.h"
#include "longbow/eval/measured_run.h"

namespace longbow {

struct ProbeOptions {
    std::int64_t items = 0;                 // of each measurement
    std::uint64_t seed = 1;                 // decides the items
    std::int64_t max_batch_tokens = 16384;  // input tokens of a forward pass
};

// Returns the beginning of a row: the probe, the model, its training, and how the items are made. `generator` is the
// version of what makes them.
Json probe_row(const std::string& probe, const MeasuredRun& run, const ProbeOptions& options, int generator);

// Returns "[low, high]", or null without an interval.
Json interval_json(const std::optional<Interval>& interval);

}  // namespace longbow
