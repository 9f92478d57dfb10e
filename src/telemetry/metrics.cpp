#include "longbow/telemetry/metrics.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>

#include "longbow/core/files.h"
#include "longbow/core/json_text.h"
#include "longbow/telemetry/log.h"

namespace longbow {

std::vector<Json> read_metrics(const fs::path& path) {
    std::vector<Json> rows;
    if (!fs::is_regular_file(path)) return rows;
    const std::string text = read_file(path);
    std::size_t begin = 0, number = 0, first_damaged = 0, damaged = 0;
    for (auto end = text.find('\n'); end != std::string::npos; begin = end + 1, end = text.find('\n', begin)) {
        Json row = parse_json(std::string_view(text).substr(begin, end - begin));
        ++number;
        if (row.is_object()) {
            rows.push_back(std::move(row));
        } else if (damaged++ == 0) {
            first_damaged = number;
        }
    }
    if (damaged > 0) {
        log::warn(fmt::format("{}:{}: not a JSON object{}; ignored", path.string(), first_damaged,
                              damaged > 1 ? fmt::format(", as are {} lines after it", damaged - 1) : ""));
    }
    return rows;
}

MetricsFile::MetricsFile(fs::path path, const std::function<bool(const Json&)>& keep) : path_(std::move(path)) {
    std::string text;
    for (auto& row : read_metrics(path_)) {
        if (!keep(row)) continue;
        text += json_text(row) + "\n";
        kept_.push_back(std::move(row));
    }
    write_file_atomic(path_, text);
    fd_ = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd_ < 0) throw_file_error("cannot open", path_);
}

MetricsFile::~MetricsFile() {
    if (fd_ >= 0) ::close(fd_);
}

void MetricsFile::append(const Json& row) {
    const std::string line = json_text(row) + "\n";
    std::size_t done = 0;
    while (done < line.size()) {
        const auto count = ::write(fd_, line.data() + done, line.size() - done);
        if (count < 0 && errno != EINTR) throw_file_error("cannot write", path_);
        if (count > 0) done += static_cast<std::size_t>(count);
    }
}

void MetricsFile::sync() {
    if (::fsync(fd_) != 0 && errno != EINVAL) throw_file_error("cannot sync", path_);
}

}  // namespace longbow
