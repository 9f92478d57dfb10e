// Writes an evaluation's rows to their destination: a results.jsonl, or a device, a pipe or standard output, from which
// rows cannot be read back.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "longbow/core/output.h"
#include "longbow/eval/eval_result.h"

namespace longbow {

class ResultsOutput {
public:
    // Finds the destination and opens nothing yet. Throws Error as find_output() does.
    explicit ResultsOutput(const std::string& path);
    // Call it before the first row. Opens a destination that is not a regular file for the lifetime of this object;
    // waits for a pipe's reader.
    void open();
    // Returns the rows of earlier evaluations; none if they cannot be read back.
    [[nodiscard]] std::vector<EvalResult> known() const;
    // Appends a row. Throws Error: full disk, a pipe whose reader has gone.
    void add(const EvalResult& row);
    // Returns whether rows go to standard output, so that nothing else may be printed there.
    [[nodiscard]] bool is_standard_output() const { return place_.descriptor == 1; }
    // Returns the folder for partial results: that of the results file, else the run's folder; empty if neither is
    // writable.
    [[nodiscard]] std::filesystem::path folder_for_partials(const std::filesystem::path& run) const;

private:
    OutputPlace place_;
    std::optional<OutputStream> stream_;
};

}  // namespace longbow
