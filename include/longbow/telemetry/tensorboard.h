// TensorBoard event files: the five protobuf fields that scalars need, in TFRecord frames with masked CRC32C.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "longbow/core/json.h"

namespace longbow {

class EventFile {
public:
    // Starts a new file in the folder, in place of any that is there: a resumed run writes its kept rows again, so that the file never
    // holds a point twice. The file opens with a session start at step 0, at which a reader that watches drops what it had.
    explicit EventFile(const std::filesystem::path& folder);
    ~EventFile();
    EventFile(const EventFile&) = delete;
    EventFile& operator=(const EventFile&) = delete;

    void scalar(const std::string& tag, std::int64_t step, double value, double wall_time);
    // Hands what was written to the system (readers see it).
    void flush();

private:
    void record(std::string_view event);
    std::filesystem::path path_;
    int fd_ = -1;
    std::string buffer_;
};

// CRC-32C (Castagnoli), as TFRecord masks it.
std::uint32_t masked_crc32c(std::string_view bytes);

// The scalars of a metrics row: train/loss, train/ppl, train/learning_rate, .. and valid/ppl at each length.
void write_scalars(EventFile& file, const Json& row);

}  // namespace longbow
