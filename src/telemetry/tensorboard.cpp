// The formats are from TensorFlow: tensorflow/core/util/event.proto and framework/summary.proto (field numbers),
// lib/io/record_writer and lib/hash/crc32c (frames).
#include "longbow/telemetry/tensorboard.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdlib>
#include <vector>

#include "longbow/core/files.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

constexpr std::string_view kPrefix = "events.out.tfevents.";
constexpr const char* kEnding = ".longbow";

template <class Integer>
void put_little_endian(std::string& out, Integer value) {
    for (std::size_t i = 0; i < sizeof value; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

void put_varint(std::string& out, std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
    out += static_cast<char>(value);
}

// A protobuf field begins with the key number << 3 | wire type.
void put_integer(std::string& out, int field, std::int64_t value) {
    put_varint(out, static_cast<std::uint64_t>(field << 3));
    put_varint(out, static_cast<std::uint64_t>(value));
}
void put_double(std::string& out, int field, double value) {
    put_varint(out, static_cast<std::uint64_t>(field << 3 | 1));
    put_little_endian(out, std::bit_cast<std::uint64_t>(value));
}
void put_bytes(std::string& out, int field, std::string_view value) {
    put_varint(out, static_cast<std::uint64_t>(field << 3 | 2));
    put_varint(out, value.size());
    out += value;
}
void put_float(std::string& out, int field, float value) {
    put_varint(out, static_cast<std::uint64_t>(field << 3 | 5));
    put_little_endian(out, std::bit_cast<std::uint32_t>(value));
}

// An event begins with Event.wall_time = 1 and Event.step = 2.
std::string event_head(double wall_time, std::int64_t step) {
    std::string event;
    put_double(event, 1, wall_time);
    put_integer(event, 2, step);
    return event;
}

const std::array<std::uint32_t, 256>& crc_table() {
    static const auto table = [] {
        std::array<std::uint32_t, 256> made{};
        for (std::uint32_t i = 0; i < 256; ++i) {
            std::uint32_t crc = i;
            for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0u);
            made[i] = crc;
        }
        return made;
    }();
    return table;
}

}  // namespace

std::uint32_t masked_crc32c(std::string_view bytes) {
    std::uint32_t crc = 0xffffffffu;
    for (const char c : bytes) crc = (crc >> 8) ^ crc_table()[(crc ^ static_cast<unsigned char>(c)) & 0xff];
    crc = ~crc;
    return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

EventFile::EventFile(const fs::path& folder) {
    fs::create_directories(folder);
    // The name is new each time, so that a watching reader opens the file from its start.
    int session = 0;
    std::vector<fs::path> older;
    for (const auto& entry : fs::directory_iterator(folder)) {
        const std::string name = entry.path().filename().string();
        // Other programs' files are left alone.
        if (!starts_with(name, kPrefix) || entry.path().extension() != kEnding) continue;
        older.push_back(entry.path());
        session = std::max(session, std::atoi(name.c_str() + kPrefix.size()));
    }
    path_ = folder / (std::string(kPrefix) + fmt::format("{:010}", session + 1) + kEnding);
    fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd_ < 0) throw_file_error("cannot create", path_);
    std::string version = event_head(0, 0);
    put_bytes(version, 3, "brain.Event:2");  // Event.file_version
    record(version);
    std::string start = event_head(0, 0);
    std::string session_log;
    put_integer(session_log, 1, 1);  // SessionLog.status = START
    put_bytes(start, 7, session_log);
    record(start);
    for (const auto& path : older) fs::remove(path);
}

EventFile::~EventFile() {
    if (fd_ >= 0) ::close(fd_);
}

void EventFile::record(std::string_view event) {
    std::string head;
    put_little_endian(head, static_cast<std::uint64_t>(event.size()));
    buffer_ += head;
    put_little_endian(buffer_, masked_crc32c(head));
    buffer_ += event;
    put_little_endian(buffer_, masked_crc32c(event));
}

void EventFile::scalar(const std::string& tag, std::int64_t step, double value, double wall_time) {
    std::string entry;  // Summary.Value: tag = 1, simple_value = 2
    put_bytes(entry, 1, tag);
    put_float(entry, 2, static_cast<float>(value));
    std::string summary;  // Summary.value = 1
    put_bytes(summary, 1, entry);
    std::string event = event_head(wall_time, step);
    put_bytes(event, 5, summary);  // Event.summary
    record(event);
}

void EventFile::flush() {
    std::size_t done = 0;
    while (done < buffer_.size()) {
        const auto count = ::write(fd_, buffer_.data() + done, buffer_.size() - done);
        if (count < 0 && errno != EINTR) throw_file_error("cannot write", path_);
        if (count > 0) done += static_cast<std::size_t>(count);
    }
    buffer_.clear();
}

void write_scalars(EventFile& file, const Json& row) {
    const std::string event = row.value("event", "");
    const auto step = row.value("update", std::int64_t{0});
    const Json timing = row.value("timing", Json::object());
    const double time = timing.value("time", 0.0);
    const auto put = [&](const Json& from, const char* key, const std::string& tag) {
        if (from.contains(key) && from[key].is_number()) file.scalar(tag, step, from[key].get<double>(), time);
    };
    if (event == "train") {
        for (const char* key : {"loss", "ppl", "lr", "grad_norm", "loss_scale"})
            put(row, key, std::string("train/") + key);
        put(timing, "tokens_per_second", "train/tokens_per_second");
    } else if (event == "valid" && row.contains("length")) {
        for (const char* key : {"nll", "ppl"}) put(row, key, std::string("valid/") + key + "@" + row["length"].dump());
    }
}

}  // namespace longbow
