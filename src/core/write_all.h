// Helpers that the writers of files share: closing, writing all of a text, syncing.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "longbow/core/files.h"

namespace longbow {

class FileCloser {
public:
    explicit FileCloser(int fd) : fd_(fd) {}
    ~FileCloser() {
        if (fd_ >= 0) ::close(fd_);
    }
    FileCloser(const FileCloser&) = delete;
    FileCloser& operator=(const FileCloser&) = delete;

private:
    int fd_;
};

// Writes all of `text`, also in several pieces. Throws Error that names `path`.
inline void write_all(int fd, std::string_view text, const fs::path& path) {
    while (!text.empty()) {
        const auto count = ::write(fd, text.data(), text.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) throw_file_error("cannot write", path);
        text.remove_prefix(static_cast<std::size_t>(count));
    }
}

// Brings what was written to the disk. EINVAL means a file system or file that has nothing to sync.
inline void sync_written(int fd, const fs::path& path) {
    if (::fsync(fd) != 0 && errno != EINVAL) throw_file_error("cannot sync", path);
}

}  // namespace longbow
