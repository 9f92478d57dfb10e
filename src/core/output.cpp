#include "longbow/core/output.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "write_all.h"

namespace longbow {

namespace {

constexpr int kMostLinks = 40;             // the kernel's own limit
constexpr std::size_t kLongestName = 255;  // NAME_MAX

fs::path folder_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

// Returns N where the path is /proc/self/fd/N, by whichever links it is reached (/dev/fd is one).
std::optional<int> descriptor_of(const fs::path& path) {
    const auto name = path.filename().string();
    int number = -1;
    const auto [end, bad] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (name.empty() || bad != std::errc{} || end != name.data() + name.size()) return std::nullopt;
    std::error_code error;
    const auto folder = fs::canonical(folder_of(path), error);
    for (const char* own : {"/proc/self/fd", "/proc/thread-self/fd"}) {
        std::error_code absent;
        if (!error && folder == fs::canonical(own, absent) && !absent) return number;
    }
    return std::nullopt;
}

struct Followed {
    fs::path path;
    std::optional<int> descriptor;
};

Followed follow(const fs::path& named) {
    auto path = without_trailing_slashes(named);
    for (int links = 0; links <= kMostLinks; ++links) {
        if (const auto descriptor = descriptor_of(path)) return {path, descriptor};
        std::error_code none;
        const auto target = fs::read_symlink(path, none);
        if (none) return {path, std::nullopt};
        path = without_trailing_slashes(folder_of(path) / target);
    }
    throw Error(named.string() + ": its links form a loop: name the file itself");
}

[[noreturn]] void refuse(const fs::path& path, const std::string& why) {
    throw Error("cannot write to " + path.string() + ": " + why);
}

void check_descriptor(const fs::path& path, int descriptor) {
    const int flags = ::fcntl(descriptor, F_GETFL);
    if (flags < 0) refuse(path, "descriptor " + std::to_string(descriptor) + " is not open");
    if ((flags & O_ACCMODE) == O_RDONLY)
        refuse(path, "descriptor " + std::to_string(descriptor) + " is open only for reading");
}

bool writable(const fs::path& path) { return ::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) == 0; }

void check_new_file(const OutputPlace& place) {
    const auto folder = folder_of(place.path);
    std::error_code error;
    if (!fs::is_directory(folder, error)) refuse(place.named, "there is no folder " + folder.string());
    if (::faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) != 0)
        throw_file_error("cannot make files in", folder);
    if (place.path.filename().native().size() > kLongestName) refuse(place.named, "the name is too long");
}

// Returns whether output is written into what lies at `path` instead of replacing it. Refuses folders, disks and
// sockets.
bool is_stream(const fs::path& path, const struct stat& info) {
    if (S_ISDIR(info.st_mode)) refuse(path, "it is a folder: name a file in it");
    if (S_ISBLK(info.st_mode)) refuse(path, "it is a disk: name a file");
    if (S_ISSOCK(info.st_mode)) refuse(path, "it is a socket: name a file or a pipe");
    return !S_ISREG(info.st_mode);
}

bool same_inode(const struct stat& a, const struct stat& b) { return a.st_dev == b.st_dev && a.st_ino == b.st_ino; }

fs::path temporary_beside(const fs::path& path) {
    const auto ending = ".tmp-" + std::to_string(::getpid());
    auto name = path.filename().native();
    name.resize(std::min(name.size(), kLongestName - ending.size()));
    return folder_of(path) / (name + ending);
}

// Copies owner, group, access lists and other attributes as far as this user may set them. The mode comes last, because
// a change of owner resets some of its bits.
void keep_attributes(const fs::path& from, int to, const struct stat& before) {
    [[maybe_unused]] const bool kept =
        ::fchown(to, before.st_uid, before.st_gid) == 0 || ::fchown(to, static_cast<uid_t>(-1), before.st_gid) == 0;
    std::vector<char> names(1 << 16), value(1 << 16);  // XATTR_LIST_MAX, XATTR_SIZE_MAX
    const auto size = std::max<ssize_t>(0, ::listxattr(from.c_str(), names.data(), names.size()));
    for (std::size_t at = 0; at < static_cast<std::size_t>(size); at += std::strlen(&names[at]) + 1) {
        const auto length = ::getxattr(from.c_str(), &names[at], value.data(), value.size());
        if (length >= 0) (void)::fsetxattr(to, &names[at], value.data(), static_cast<std::size_t>(length), 0);
    }
    (void)::fchmod(to, before.st_mode & 07777);
}

// A temporary file. The destructor closes it, and removes it unless place() has renamed it.
class Temporary {
public:
    Temporary(fs::path path, bool is_new) : path_(std::move(path)) {
        (void)::unlink(path_.c_str());  // left by an earlier process with the same number
        fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, is_new ? 0666 : 0600);
    }
    ~Temporary() {
        if (fd_ < 0) return;
        ::close(fd_);
        if (!placed_) ::unlink(path_.c_str());
    }
    Temporary(const Temporary&) = delete;
    Temporary& operator=(const Temporary&) = delete;
    [[nodiscard]] int fd() const { return fd_; }
    [[nodiscard]] const fs::path& path() const { return path_; }
    // Returns false on failure, with the reason in errno.
    bool place(const fs::path& target) { return placed_ = ::rename(path_.c_str(), target.c_str()) == 0; }

private:
    fs::path path_;
    int fd_ = -1;
    bool placed_ = false;
};

// Overwrites the file where its folder takes no new file, or where it cannot be renamed over (a mount point; another
// user's file in a sticky folder).
void write_in_place(const OutputPlace& place, std::string_view contents) {
    const int fd = ::open(place.path.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC);
    if (fd < 0) throw_file_error("cannot open", place.named);
    const FileCloser closer(fd);
    write_all(fd, contents, place.named);
    sync_written(fd, place.named);
}

void replace_file(const OutputPlace& place, const std::function<void(int fd, const fs::path& file)>& write,
                  const std::function<void()>& in_its_place) {
    struct stat before {};
    const bool is_new = ::stat(place.path.c_str(), &before) != 0;
    Temporary temporary(temporary_beside(place.path), is_new);
    const auto in_place = [&] {
        return !is_new && (errno == EACCES || errno == EPERM || errno == EROFS || errno == EBUSY);
    };
    if (temporary.fd() < 0) {
        if (in_place()) return in_its_place();
        throw_file_error("cannot create", place.named);
    }
    if (!is_new) keep_attributes(place.path, temporary.fd(), before);
    write(temporary.fd(), temporary.path());
    sync_written(temporary.fd(), place.named);
    if (!temporary.place(place.path)) {
        if (in_place()) return in_its_place();
        throw_file_error("cannot rename onto", place.path);
    }
    sync_path(folder_of(place.path));
}

}  // namespace

OutputPlace find_output(const fs::path& path) {
    if (path.empty()) throw UsageError("an output has an empty name: name a file");
    OutputPlace place{path, path};
    const auto followed = follow(path);
    if (followed.descriptor) {
        check_descriptor(path, *followed.descriptor);
        place.stream = true;
        place.descriptor = *followed.descriptor;
        return place;
    }
    struct stat info {
    }, target{};
    if (::stat(path.c_str(), &info) != 0) {
        if (!path.has_filename()) refuse(path, "a name that ends in / is a folder's: name a file in it");
        place.path = followed.path;
        check_new_file(place);
        return place;
    }
    place.stream = is_stream(path, info);
    // Another process's descriptor (/proc/N/fd/M) may lead to a file that no longer has a name. That is written into.
    if (!place.stream && ::stat(followed.path.c_str(), &target) == 0 && same_inode(info, target)) {
        place.path = followed.path;
    } else {
        place.stream = true;
    }
    if (!writable(path)) throw_file_error("cannot write to", path);
    return place;
}

bool same_output(const fs::path& a, const fs::path& b) {
    std::error_code error;
    if (fs::equivalent(a, b, error)) return true;
    // absolute() comes first, because weakly_canonical() gives two results for `x` and `./x` when neither exists.
    const auto whole = [&](const fs::path& path) {
        return fs::weakly_canonical(fs::absolute(follow_links(path)), error);
    };
    return whole(a) == whole(b);
}

std::optional<int> named_descriptor(const fs::path& path) { return follow(path).descriptor; }

fs::path without_trailing_slashes(fs::path path) {
    while (!path.has_filename() && path.has_relative_path()) path = path.parent_path();
    return path;
}

fs::path tidy_path(const fs::path& path) {
    auto tidy = path.lexically_normal();
    const bool climbs = std::find(path.begin(), path.end(), "..") != path.end();
    std::error_code error;
    return !climbs || fs::equivalent(tidy, path, error) ? tidy : path;
}

fs::path whole_path(const fs::path& path) {
    const auto tidy = tidy_path(fs::absolute(path));
    const bool climbs = std::find(tidy.begin(), tidy.end(), "..") != tidy.end();
    return without_trailing_slashes(climbs ? fs::weakly_canonical(tidy) : tidy);
}

fs::path follow_links(const fs::path& path) { return follow(path).path; }

fs::path make_output_folder(const fs::path& path) {
    if (path.empty()) throw UsageError("an output has an empty name: name a folder");
    const auto folder = follow_links(path);
    std::error_code error;
    fs::create_directories(folder, error);
    if (error || !fs::is_directory(folder)) {
        throw Error("cannot make the folder " + path.string() + ": " +
                    (error ? error.message() : "something else is there"));
    }
    return folder;
}

void check_output_folder(const fs::path& path) {
    if (path.empty()) throw UsageError("an output has an empty name: name a folder");
    auto folder = follow_links(path);
    std::error_code error;
    // The nearest existing parent decides.
    while (!fs::exists(fs::symlink_status(folder, error)) && folder != folder_of(folder)) folder = folder_of(folder);
    if (!fs::is_directory(folder, error)) refuse(path, folder.string() + " is not a folder");
    if (::faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) != 0)
        throw_file_error("cannot make files in", folder);
}

void write_file_atomic(const fs::path& path, std::string_view contents) {
    const auto place = find_output(path);
    if (place.stream) return OutputStream(place).write(contents);
    const auto write = [&](int fd, const fs::path&) { write_all(fd, contents, place.named); };
    replace_file(place, write, [&] { write_in_place(place, contents); });
}

void write_file_atomic_by(const fs::path& path, const std::function<void(const fs::path&)>& write) {
    const auto place = find_output(path);
    if (place.stream) return write(place.named);
    replace_file(
        place, [&](int, const fs::path& file) { write(file); }, [&] { write(place.path); });
}

}  // namespace longbow
