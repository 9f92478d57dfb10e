#include "longbow/core/input.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "longbow/core/output.h"
#include "longbow/core/signals.h"

namespace longbow {

namespace {

constexpr int kPollMilliseconds = 50;

}  // namespace

int open_input(const std::filesystem::path& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0 || errno != ENXIO) return fd;
    // A socket cannot be opened by path, and another program may have made one this process's standard input. It is
    // reached by its descriptor.
    const auto descriptor = named_descriptor(path);
    errno = ENXIO;
    return descriptor ? ::fcntl(*descriptor, F_DUPFD_CLOEXEC, 3) : -1;
}

std::ptrdiff_t read_input(int fd, void* data, std::size_t size, const std::filesystem::path& path) {
    while (true) {
        pollfd ready{fd, POLLIN, 0};
        if (::poll(&ready, 1, kPollMilliseconds) <= 0) {
            throw_if_stop_requested(("nothing comes from " + path.string()).c_str());
            continue;
        }
        const auto count = ::read(fd, data, size);
        if (count >= 0 || (errno != EINTR && errno != EAGAIN)) return count;
    }
}

bool can_be_read_again(const std::filesystem::path& path) {
    std::error_code error;
    return std::filesystem::is_regular_file(path, error);
}

}  // namespace longbow
