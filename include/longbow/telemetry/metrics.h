// A run's metrics.jsonl has one JSON object a line. Everything that depends on the clock or the machine is under the
// key "timing": apart from it, two equal runs write equal files, even when one of them was killed and resumed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include "longbow/core/json.h"

namespace longbow {

// Reads the rows of a metrics file. A last line that a killed process left unfinished is ignored, and other damaged
// lines are skipped with a warning. A missing file has no rows.
std::vector<Json> read_metrics(const std::filesystem::path& path);

class MetricsFile {
public:
    // Opens the file for appending, after removing the rows for which `keep` returns false: those of updates that a
    // resumed run repeats.
    MetricsFile(std::filesystem::path path, const std::function<bool(const Json&)>& keep);
    ~MetricsFile();
    MetricsFile(const MetricsFile&) = delete;
    MetricsFile& operator=(const MetricsFile&) = delete;

    // Returns the rows that were kept.
    [[nodiscard]] const std::vector<Json>& kept() const { return kept_; }
    // Appends one line with a single write. Throws Error with the file's name, for example when the disk is full.
    void append(const Json& row);
    // Brings the rows to the disk. It is called before a checkpoint, whose resuming relies on them.
    void sync();

private:
    std::filesystem::path path_;
    std::vector<Json> kept_;
    int fd_ = -1;
};

}  // namespace longbow
