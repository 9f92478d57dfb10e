// OutputStream of output.h: writes that never block for long, so that SIGINT and SIGTERM can end the wait for a reader.
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <iostream>
#include <utility>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/output.h"
#include "longbow/core/signals.h"

namespace longbow {

namespace {

constexpr int kPollMilliseconds = 50;
// When poll() says that a pipe is writable, this many bytes fit without blocking (PIPE_BUF, pipe(7)).
constexpr std::size_t kPiece = 4096;

// While this object lives, a write to a pipe without a reader fails with EPIPE and raises no signal.
class BlockedSigpipe {
public:
    BlockedSigpipe() {
        sigemptyset(&pipe_);
        sigaddset(&pipe_, SIGPIPE);
        pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
    }
    ~BlockedSigpipe() {
        const timespec now{};
        while (sigtimedwait(&pipe_, nullptr, &now) > 0) {
        }
        pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    }
    BlockedSigpipe(const BlockedSigpipe&) = delete;
    BlockedSigpipe& operator=(const BlockedSigpipe&) = delete;

private:
    sigset_t pipe_{}, before_{};
};

// Opens without blocking, and retries while a pipe has no reader, so that a signal can end the wait.
int open_waiting(const OutputPlace& place) {
    while (true) {
        const int fd = ::open(place.path.c_str(), O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd >= 0) return fd;
        const int error = errno;
        struct stat info {};
        const bool pipe = ::stat(place.path.c_str(), &info) == 0 && S_ISFIFO(info.st_mode);
        errno = error;
        if (error != EINTR && !(error == ENXIO && pipe)) throw_file_error("cannot open", place.named);
        throw_if_stop_requested(("nothing reads the pipe " + place.named.string()).c_str());
        ::poll(nullptr, 0, kPollMilliseconds);
    }
}

}  // namespace

OutputStream::OutputStream(const OutputPlace& place) : name_(place.named.string()) {
    if (place.descriptor < 0) {
        fd_ = open_waiting(place);
        return;
    }
    fd_ = ::fcntl(place.descriptor, F_DUPFD_CLOEXEC, 3);
    if (fd_ < 0) throw_file_error("cannot write to", place.named);
}

OutputStream::~OutputStream() {
    if (fd_ >= 0) ::close(fd_);
}

void OutputStream::write(std::string_view text) {
    std::cout.flush();  // std::cout may go to the same descriptor
    const BlockedSigpipe held;
    while (!text.empty()) {
        pollfd ready{fd_, POLLOUT, 0};
        const int count = ::poll(&ready, 1, kPollMilliseconds);
        if (count <= 0) {
            throw_if_stop_requested((name_ + " accepts no more data").c_str());
            continue;
        }
        const auto written = ::write(fd_, text.data(), std::min(text.size(), kPiece));
        if (written < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (written < 0 && errno == EPIPE) throw Error("cannot write to " + name_ + ": its reader has gone");
        if (written < 0) throw_file_error("cannot write to", name_);
        text.remove_prefix(static_cast<std::size_t>(written));
    }
}

}  // namespace longbow
