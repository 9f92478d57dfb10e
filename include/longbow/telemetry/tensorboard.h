// Writes TensorBoard event files without TensorFlow: the few protobuf fields that scalars need, in TFRecord frames with
// masked CRC-32C.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "longbow/core/json.h"

namespace longbow {

class EventFile {
public:
    // Starts a new file in the folder and removes Longbow's older ones. A resumed run writes its kept rows again, so
    // that the file never holds a point twice. The file begins with a session start at step 0, which makes a watching
    // reader drop what it had read. Throws Error if the file cannot be created.
    explicit EventFile(const std::filesystem::path& folder);
    ~EventFile();
    EventFile(const EventFile&) = delete;
    EventFile& operator=(const EventFile&) = delete;

    // Adds a point to the curve `tag`. `wall_time` is in seconds since 1970.
    void scalar(const std::string& tag, std::int64_t step, double value, double wall_time);
    // Writes the buffer to the file, so that readers see it. Throws Error.
    void flush();

private:
    void record(std::string_view event);
    std::filesystem::path path_;
    int fd_ = -1;
    std::string buffer_;
};

// Returns the CRC-32C (Castagnoli) of `bytes`, masked as TFRecord requires.
std::uint32_t masked_crc32c(std::string_view bytes);

// Writes the scalars of a metrics row: train/loss, train/ppl, train/lr, .. and valid/nll, valid/ppl at each length.
void write_scalars(EventFile& file, const Json& row);

}  // namespace longbow
