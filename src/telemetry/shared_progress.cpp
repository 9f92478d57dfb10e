// How much of a child's work is done, in eight bytes of memory that parent and child share as a file: no pipe that could fill up or break.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "longbow/core/strings.h"
#include "longbow/telemetry/progress.h"

namespace longbow {

namespace {

constexpr const char* kVariable = "LONGBOW_PROGRESS_FILE";  // the number of an open file
constexpr const char* kName = "longbow-progress";

// Only a file that such a parent made is written to, whatever the variable says.
int parents_file() {
    const char* text = std::getenv(kVariable);
    const int file = text == nullptr ? -1 : std::atoi(text);
    std::error_code error;
    const auto target = std::filesystem::read_symlink(strprintf("/proc/self/fd/%d", file), error).string();
    return !error && starts_with(target, std::string("/memfd:") + kName) ? file : -1;
}

}  // namespace

void share_with_parent(double share) {
    static const int file = parents_file();
    // A failure would cost the parent its progress line alone.
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
