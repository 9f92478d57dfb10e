// Where the rows of an evaluation go: a results.jsonl, or a device, a pipe or standard output, from which no row can be read back.
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
    // Looks, and opens nothing yet. Throws Error as find_output() does.
    explicit ResultsOutput(const std::string& path);
    // Before the first row: opens what is no regular file, for as long as this lives; a pipe's reader is waited for.
    void open();
    // Rows of earlier evaluations; none where they cannot be read.
    [[nodiscard]] std::vector<EvalResult> known() const;
    // Throws Error: full disk, a pipe whose reader has gone.
    void add(const EvalResult& row);
    // Rows go to standard output, so that nothing else may.
    [[nodiscard]] bool is_standard_output() const { return place_.descriptor == 1; }
    // Where what is done of an evaluation is kept: beside the results, or else in the run's folder. Empty: neither takes files.
    [[nodiscard]] std::filesystem::path folder_for_partials(const std::filesystem::path& run) const;

private:
    OutputPlace place_;
    std::optional<OutputStream> stream_;
};

}  // namespace longbow
