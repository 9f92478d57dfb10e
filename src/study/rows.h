// Finished rows of a study in one file, which can be kept in a repository: a copy of it trains nothing again that the
// file has.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "longbow/study/study.h"

namespace longbow {

// What is measured of a model.
struct ModelRows {
    std::vector<EvalResult> perplexity;
    std::vector<ProbeRow> probes;
};

// Rows of results.jsonl or probes.jsonl, each with the fingerprint of the settings that decide its numbers.
struct SavedRows {
    std::vector<std::pair<EvalResult, std::string>> perplexity;
    std::vector<std::pair<ProbeRow, std::string>> probes;
};

// Returns the rows of a file; a missing one has none. Throws DataError "FILE:LINE" for a line that is not a saved row.
SavedRows read_saved_rows(const std::filesystem::path& file);

// Marks a model as done, and adds its rows, if the saved ones have all of its measurements. A model of which a part is
// missing is trained here and takes none of them, so that no table mixes two trainings of one seed.
bool take_saved_rows(PlannedModel& model, const SavedRows& saved, const ConfigContext& context, ModelRows& rows);

// Writes the rows of all models that are done, in the order of the plan, and returns whether there are any. Throws
// Error.
bool write_saved_rows(const std::filesystem::path& file, const StudyPlan& plan, const ConfigContext& context);

}  // namespace longbow
