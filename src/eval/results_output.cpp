#include "longbow/eval/results_output.h"

#include <unistd.h>

#include "longbow/core/files.h"
#include "longbow/core/json_text.h"
#include "longbow/telemetry/log.h"

namespace longbow {

ResultsOutput::ResultsOutput(const std::string& path) : place_(find_output(path)) {}

void ResultsOutput::open() {
    if (!place_.stream || stream_) return;
    if (place_.descriptor < 0 && fs::is_fifo(place_.path))
        log::info("waiting for a reader of the pipe " + place_.named.string());
    stream_.emplace(place_);
}

std::vector<EvalResult> ResultsOutput::known() const {
    return place_.stream ? std::vector<EvalResult>() : read_results(place_.path.string());
}

void ResultsOutput::add(const EvalResult& row) {
    open();
    if (stream_) return stream_->write(json_text(to_json(row)) + "\n");
    append_result(place_.path.string(), row);
}

fs::path ResultsOutput::folder_for_partials(const fs::path& run) const {
    const auto takes_files = [](const fs::path& folder) { return ::access(folder.c_str(), W_OK | X_OK) == 0; };
    const auto beside = fs::absolute(place_.path).parent_path();
    if (!place_.stream && takes_files(beside)) return beside;
    return takes_files(run) ? run : fs::path();
}

}  // namespace longbow
