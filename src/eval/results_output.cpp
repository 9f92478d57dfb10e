#include "longbow/eval/results_output.h"

#include <unistd.h>

#include "longbow/core/files.h"

namespace longbow {

ResultsOutput::ResultsOutput(const std::string& path) : place_(find_output(path)) {
    if (place_.stream) stream_.emplace(place_);
}

std::vector<EvalResult> ResultsOutput::known() const { return stream_ ? std::vector<EvalResult>() : read_results(place_.path.string()); }

void ResultsOutput::add(const EvalResult& row) {
    if (stream_) return stream_->write(to_json(row).dump() + "\n");
    append_result(place_.path.string(), row);
}

fs::path ResultsOutput::folder_for_partials(const fs::path& run) const {
    const auto takes_files = [](const fs::path& folder) { return ::access(folder.c_str(), W_OK | X_OK) == 0; };
    const auto beside = fs::absolute(place_.path).parent_path();
    if (!stream_ && takes_files(beside)) return beside;
    return takes_files(run) ? run : fs::path();
}

}  // namespace longbow
