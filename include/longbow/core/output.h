// Where output goes that a user names (`--out FILE` and the like), and what may lie there.
//
// A regular file is replaced as a whole (write_file_atomic in files.h) and keeps its mode, owner and attributes; a link is followed and stays;
// a device, a pipe or an open descriptor (/dev/stdout, /dev/fd/N) is written into; folders, disks and sockets are refused. Waiting for a pipe's
// other end is given up when SIGINT or SIGTERM comes.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace longbow {

// What an output's path leads to.
struct OutputPlace {
    std::filesystem::path named;  // as the user wrote it, for messages
    std::filesystem::path path;   // all links followed; it may not exist yet
    bool stream = false;          // written into; what was written cannot be read back
    int descriptor = -1;          // the open descriptor of this process that the path names
};

// Looks, and neither opens nor makes anything. Throws Error (UsageError for an empty path): a folder, a disk, a socket, links in a circle, a
// descriptor that is not open for writing, no such folder, no permission. So a verb calls it before its work.
OutputPlace find_output(const std::filesystem::path& path);
inline void check_output(const std::filesystem::path& path) { (void)find_output(path); }
// Both lead to the same file, which may not exist yet.
bool same_output(const std::filesystem::path& a, const std::filesystem::path& b);

// The descriptor of this process that a path names, also through links: /dev/stdin, /dev/fd/N, /proc/self/fd/N.
std::optional<int> named_descriptor(const std::filesystem::path& path);

// `folder/` and `folder` are one place; file names are taken from the latter.
std::filesystem::path without_slash(std::filesystem::path path);

// Without `.`, and without `..` where the path leads to the same place without: after a link it may not (`LINK/../x` is beside what the link leads to).
std::filesystem::path tidy_path(const std::filesystem::path& path);
// Absolute and tidy, without trailing slashes; where `..` stays, links are followed instead.
std::filesystem::path whole_path(const std::filesystem::path& path);

// The path with its own links followed, and without trailing slashes; what it leads to need not exist. Throws Error: links in a circle.
std::filesystem::path follow_links(const std::filesystem::path& path);

// For outputs that are a folder: makes it and those above it; what a link leads to, too. Throws Error when something else lies there.
std::filesystem::path make_output_folder(const std::filesystem::path& path);
// The same looked at beforehand: whether it is a writable folder or could be made. Throws as make_output_folder() would.
void check_output_folder(const std::filesystem::path& path);

// A device, a pipe or a descriptor, open for writing.
class OutputStream {
public:
    // `place.stream` holds. A pipe without a reader is waited for.
    explicit OutputStream(const OutputPlace& place);
    ~OutputStream();
    OutputStream(const OutputStream&) = delete;
    OutputStream& operator=(const OutputStream&) = delete;
    // Throws Error: the reader has gone, full disk, a stop was asked for.
    void write(std::string_view text);

private:
    std::string name_;
    int fd_ = -1;
};

}  // namespace longbow
