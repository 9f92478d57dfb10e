#include "longbow/core/files.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "longbow/core/error.h"
#include "longbow/core/output.h"
#include "longbow/core/strings.h"
#include "write_all.h"

namespace longbow {

namespace {

// Returns what to do about an error, in parentheses for the end of a message; empty where that is not known.
std::string remedy(int error) {
    if (error == ENOSPC || error == EDQUOT)
        return " (free some space there or choose another place, then run the same command again)";
    if (error != EFBIG) return "";
    struct rlimit limit {};
    if (::getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
        return " (the file is too large for this file system: choose a path on another one, then run the same command again)";
    }
    return fmt::format(
        " (files may have at most {} bytes here: raise the limit with `ulimit -f unlimited`, then run the same command again)",
        with_commas(static_cast<std::int64_t>(limit.rlim_cur)));
}

[[noreturn]] void fail(const char* action, const fs::path& path) { throw_file_error(action, path); }

}  // namespace

std::string file_error_text(int error) { return std::strerror(error) + remedy(error); }

void throw_file_error(const std::string& action, const fs::path& path) {
    const int error = errno;
    throw Error(action + " " + path.string() + ": " + file_error_text(error));
}

std::string read_file(const fs::path& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) fail("cannot open", path);
    std::string contents;
    char buffer[1 << 16];
    while (true) {
        const auto count = ::read(fd, buffer, sizeof buffer);
        if (count < 0) {
            if (errno == EINTR) continue;
            const int saved = errno;
            ::close(fd);
            errno = saved;
            fail("cannot read", path);
        }
        if (count == 0) break;
        contents.append(buffer, static_cast<std::size_t>(count));
    }
    ::close(fd);
    return contents;
}

void sync_path(const fs::path& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) fail("cannot open", path);
    // Some file systems refuse fsync on a folder. Nothing better can be done for them.
    const bool failed = ::fsync(fd) != 0 && errno != EINVAL && errno != EROFS;
    const int saved = errno;
    ::close(fd);
    errno = saved;
    if (failed) fail("cannot sync", path);
}

std::uint64_t free_space(const fs::path& path) {
    fs::path probe = fs::absolute(path);
    while (!fs::exists(probe) && probe.has_relative_path()) probe = probe.parent_path();
    struct statvfs info {};
    if (::statvfs(probe.c_str(), &info) != 0) fail("cannot read the free space of", probe);
    return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
}

MappedFile::MappedFile(const fs::path& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);  // refuses a pipe instead of waiting
    if (fd < 0) fail("cannot open", path);
    struct stat info {};
    if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        ::close(fd);
        throw Error("cannot map " + path.string() + ": it is " +
                    (S_ISDIR(info.st_mode) ? "a folder" : "a pipe or a device: copy it into a file"));
    }
    size_ = static_cast<std::size_t>(info.st_size);
    if (size_ > 0) {
        void* address = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, fd, 0);
        const int saved = errno;
        ::close(fd);
        errno = saved;
        if (address == MAP_FAILED) fail("cannot map", path);
        data_ = static_cast<const std::byte*>(address);
    } else {
        ::close(fd);
    }
}

MappedFile::~MappedFile() {
    if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::prefetch(std::size_t begin, std::size_t size) const {
    static const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    if (begin >= size_) return;
    const std::size_t first = begin / page * page;
    (void)::madvise(const_cast<std::byte*>(data_ + first), std::min(begin + size, size_) - first, MADV_WILLNEED);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
}

OutputFile::OutputFile(const fs::path& path) : path_(path) {
    fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd_ < 0) fail("cannot create", path);
    buffer_.reserve(1 << 20);
}

OutputFile::OutputFile(const fs::path& path, std::uint64_t keep) : path_(path), position_(keep) {
    fd_ = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd_ < 0) fail("cannot open", path);
    struct stat info {};
    const bool whole = ::fstat(fd_, &info) == 0 && static_cast<std::uint64_t>(info.st_size) >= keep;
    if (!whole || ::ftruncate(fd_, static_cast<off_t>(keep)) != 0 || ::lseek(fd_, 0, SEEK_END) < 0) {
        const int saved = errno;
        ::close(std::exchange(fd_, -1));
        if (!whole) throw Error(path.string() + " has lost what was written to it");
        errno = saved;
        fail("cannot shorten", path);
    }
    buffer_.reserve(1 << 20);
}

OutputFile::~OutputFile() {
    if (fd_ >= 0) ::close(fd_);
}

void OutputFile::write(const void* data, std::size_t size) {
    position_ += size;
    if (buffer_.size() + size > (1 << 20)) flush();
    buffer_.append(static_cast<const char*>(data), size);
    if (buffer_.size() > (1 << 20)) flush();
}

void OutputFile::flush() {
    write_all(fd_, buffer_, path_);
    buffer_.clear();
}

void OutputFile::sync() {
    flush();
    sync_written(fd_, path_);
}

void OutputFile::close() {
    sync();
    const int fd = std::exchange(fd_, -1);
    if (::close(fd) != 0) fail("cannot close", path_);
}

DirectoryTransaction::DirectoryTransaction(fs::path target, bool replace)
    : target_(without_trailing_slashes(std::move(target))), replace_(replace) {
    if (fs::exists(target_) && !replace_)
        throw Error(target_.string() + " exists already: choose another place or remove it first");
    target_ = make_output_folder(fs::absolute(target_).parent_path()) / target_.filename();
    std::error_code error;
    temporary_ = target_.parent_path() / ("." + target_.filename().string() + ".tmp-" + std::to_string(::getpid()));
    fs::remove_all(temporary_, error);
    if (!fs::create_directory(temporary_, error))
        throw Error("cannot create " + temporary_.string() + ": " + error.message());
}

DirectoryTransaction::~DirectoryTransaction() {
    if (committed_) return;
    std::error_code ignored;
    fs::remove_all(temporary_, ignored);
}

void DirectoryTransaction::commit() {
    sync_path(temporary_);
    place_directory(temporary_, target_, replace_);
    committed_ = true;
    std::error_code ignored;
    fs::remove_all(temporary_, ignored);  // an exchanged target now lies here
}

void place_directory(const fs::path& from, const fs::path& target, bool replace) {
    if (replace && ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) == 0) {
        sync_path(target.parent_path());
        return;
    }
    // There is nothing to exchange with, or the file system cannot exchange. In the second case a kill between the two
    // renames leaves the old folder under its other name.
    if (replace && fs::exists(target)) {
        const fs::path old =
            target.parent_path() / ("." + target.filename().string() + ".old-" + std::to_string(::getpid()));
        if (::rename(target.c_str(), old.c_str()) != 0) fail("cannot move away", target);
        if (::rename(from.c_str(), target.c_str()) != 0) {
            const int saved = errno;
            (void)::rename(old.c_str(), target.c_str());
            errno = saved;
            fail("cannot rename onto", target);
        }
        sync_path(target.parent_path());
        std::error_code ignored;
        fs::remove_all(old, ignored);
        return;
    }
    if (::rename(from.c_str(), target.c_str()) != 0) fail("cannot rename onto", target);
    sync_path(target.parent_path());
}

FolderLock::FolderLock(const fs::path& path, const char* busy) {
    fd_ = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd_ < 0) fail("cannot open", path);
    // A file system without locks counts as unlocked.
    const bool held = ::flock(fd_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    struct stat locked {
    }, current{};
    // The previous holder may have removed the folder between open() and flock(). Then the lock is on a folder that has
    // no name any more.
    const bool gone =
        !held && (::fstat(fd_, &locked) != 0 || ::stat(path.c_str(), &current) != 0 || locked.st_ino != current.st_ino);
    if (!held && !gone) return;
    ::close(std::exchange(fd_, -1));
    throw Error(path.string() + ": " + busy);
}

FolderLock::~FolderLock() {
    if (fd_ >= 0) ::close(fd_);
}

}  // namespace longbow
