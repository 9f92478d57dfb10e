// metrics.jsonl: one JSON object a line, everything that depends on the clock or the machine under the key "timing", so that two equal
// runs have equal files without it, also when one of them was killed and went on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include "longbow/core/json.h"

namespace longbow {

// The rows of a metrics file; a last line that is cut short (a killed process) is left out. A missing file has no rows.
std::vector<Json> read_metrics(const std::filesystem::path& path);

class MetricsFile {
public:
    // Opens for appending, after dropping the rows that `keep` refuses (those of updates that a resumed run does again).
    MetricsFile(std::filesystem::path path, const std::function<bool(const Json&)>& keep);
    ~MetricsFile();
    MetricsFile(const MetricsFile&) = delete;
    MetricsFile& operator=(const MetricsFile&) = delete;

    // The rows that were kept.
    [[nodiscard]] const std::vector<Json>& kept() const { return kept_; }
    // One line, in one write. Throws Error with the file's name (full disk).
    void append(const Json& row);
    // On the disk, before a checkpoint that counts on the rows.
    void sync();

private:
    std::filesystem::path path_;
    std::vector<Json> kept_;
    int fd_ = -1;
};

}  // namespace longbow
