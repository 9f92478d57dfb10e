// Computes a model's numbers in a table from its rows of results.jsonl.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>

#include "longbow/report/tables.h"

namespace longbow {

// The rows of one model: seed -> length -> row.
using Seeds = std::map<std::uint64_t, std::map<std::int64_t, const EvalResult*>>;

ReportCell cell_of(const Seeds& seeds, std::int64_t length, Metric metric);

// Returns the growth from the training length (or the shortest length measured) to the longest.
std::optional<ReportGrowth> growth_of(const Seeds& seeds, std::int64_t train_length,
                                      const std::set<std::int64_t>& lengths);

// Sets `best` in every column of at least two models.
void mark_best(ReportTable& table);

}  // namespace longbow
