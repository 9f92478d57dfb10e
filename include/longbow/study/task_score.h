// A row of probes.jsonl of the probe `tasks`, as a study reads it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "longbow/core/interval.h"
#include "longbow/core/json.h"

namespace longbow {

struct TaskScore {
    std::uint64_t seed = 0;  // of the training
    std::int64_t items = 0;  // that were asked
    double exact_match = 0;  // share of the items whose whole answer is right
    Interval interval;       // Wilson's, for other items
    double token_accuracy = 0;
    std::string checkpoint;  // fingerprint
    Json row;                // as it was read
};

// `where` ("FILE:LINE") is used in messages. Throws DataError if a key is missing or has the wrong type.
TaskScore task_score_from_json(const Json& row, const std::string& where);

// Reads the rows of the probe `tasks` in a probes.jsonl; those of other probes are passed over. A last line that was
// cut short is dropped, as it is written anew; other damage throws DataError. A missing file has none.
std::vector<TaskScore> read_task_scores(const std::filesystem::path& file);

}  // namespace longbow
