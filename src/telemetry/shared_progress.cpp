// Implements share_with_parent() and SharedProgress of progress.h. A child's share of work done is a double in a memory
// file that it shares with its parent. Unlike a pipe, such a file can neither fill up nor break.
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "longbow/core/strings.h"
#include "longbow/telemetry/progress.h"

namespace longbow {

namespace {

constexpr const char* kVariable = "LONGBOW_PROGRESS_FILE";  // its value is the descriptor of that file
constexpr const char* kName = "longbow-progress";

// Returns the descriptor of the parent's file, or -1. Whatever the variable says, only a memory file of this name is
// written to.
int parents_file() {
    const char* text = std::getenv(kVariable);
    const int file = text == nullptr ? -1 : std::atoi(text);
    std::error_code error;
    const auto target = std::filesystem::read_symlink(fmt::format("/proc/self/fd/{}", file), error).string();
    return !error && starts_with(target, std::string("/memfd:") + kName) ? file : -1;
}

}  // namespace

void share_with_parent(double share) {
    static const int file = parents_file();
    // A failure is ignored, since it costs only the parent's progress line.
    if (file >= 0) [[maybe_unused]]
        const auto written = ::pwrite(file, &share, sizeof share, 0);
}

SharedProgress::SharedProgress() : file_(::memfd_create(kName, 0)) {}

SharedProgress::SharedProgress(SharedProgress&& other) noexcept : file_(other.file_) { other.file_ = -1; }

SharedProgress::~SharedProgress() {
    if (file_ >= 0) ::close(file_);
}

std::pair<std::string, std::string> SharedProgress::environment() const {
    return {kVariable, file_ >= 0 ? std::to_string(file_) : std::string()};
}

double SharedProgress::share() const {
    double share = 0;
    return file_ >= 0 && ::pread(file_, &share, sizeof share, 0) == sizeof share ? share : 0;
}

}  // namespace longbow
