// Rows of probes.jsonl as a study reads them, and the numbers that it takes from them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "longbow/core/interval.h"
#include "longbow/core/json.h"

namespace longbow {

struct ProbeRow {
    std::uint64_t seed = 0;  // of the training
    Json row;                // as it was read
};

struct ProbeScore {
    std::uint64_t seed = 0;  // of the training
    double value = 0;
    std::optional<Interval> interval;  // for other items or texts
    Json row;                          // the first of those that it is from
};

// `where` ("FILE:LINE") is used in messages. Throws DataError if the row is not one of a probe.
ProbeRow probe_row_from_json(const Json& row, const std::string& where);

// Reads the rows of a probes.jsonl. A last line that was cut short is dropped, as it is written anew; other damage
// throws DataError. A missing file has none.
std::vector<ProbeRow> read_probe_rows(const std::filesystem::path& file);

}  // namespace longbow
