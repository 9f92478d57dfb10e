// Decides where output goes that a user names (`--out FILE` and the like).
//
// A regular file is replaced as a whole (write_file_atomic() in files.h) and keeps its mode, owner and attributes; a
// link is followed and stays. A device, a pipe or an open descriptor (/dev/stdout, /dev/fd/N) is written into. Folders,
// disks and sockets are refused. SIGINT or SIGTERM ends the wait for a pipe's reader.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace longbow {

// The place that an output's path leads to.
struct OutputPlace {
    std::filesystem::path named;  // as the user wrote it, for messages
    std::filesystem::path path;   // all links followed; it may not exist yet
    bool stream = false;          // a device, pipe or descriptor: it is written into, and cannot be read back
    int descriptor = -1;          // this process's open descriptor that the path names; -1: none
};

// Examines the path without opening or creating anything; a verb calls it before its work begins. Throws Error
// (UsageError for an empty path) for a folder, a disk, a socket, links in a circle, a descriptor that is not open for
// writing, a missing folder, and missing permission.
OutputPlace find_output(const std::filesystem::path& path);
inline void check_output(const std::filesystem::path& path) { (void)find_output(path); }
// Returns whether both paths lead to the same file, which may not exist yet.
bool same_output(const std::filesystem::path& a, const std::filesystem::path& b);

// Returns the descriptor of this process that a path names, also through links: /dev/stdin, /dev/fd/N, /proc/self/fd/N.
std::optional<int> named_descriptor(const std::filesystem::path& path);

// Removes trailing slashes, so that `folder/` and `folder` are one place with the same file name.
std::filesystem::path without_trailing_slashes(std::filesystem::path path);

// Removes `.` and, where the path still leads to the same place, `..`. Behind a link it may not: `LINK/../x` lies
// beside the target of the link.
std::filesystem::path tidy_path(const std::filesystem::path& path);
// Returns the absolute, tidy path without trailing slashes. If `..` is still in it, links are followed to remove it.
std::filesystem::path whole_path(const std::filesystem::path& path);

// Follows the path's own links and removes trailing slashes. The target need not exist. Throws Error when the links
// lead in a circle.
std::filesystem::path follow_links(const std::filesystem::path& path);

// Creates the folder for an output that is one, with the folders above it, also as the target of a link, and returns
// its path with links followed. Throws Error when something other than a folder lies there.
std::filesystem::path make_output_folder(const std::filesystem::path& path);
// Checks beforehand that the path is a writable folder or could be created. Throws as make_output_folder() would.
void check_output_folder(const std::filesystem::path& path);

// A device, a pipe or a descriptor that is open for writing.
class OutputStream {
public:
    // Requires place.stream. Waits for the reader of a pipe that has none. Throws Error.
    explicit OutputStream(const OutputPlace& place);
    ~OutputStream();
    OutputStream(const OutputStream&) = delete;
    OutputStream& operator=(const OutputStream&) = delete;
    // Throws Error when the reader has gone, the disk is full, or a signal has asked the process to stop.
    void write(std::string_view text);

private:
    std::string name_;
    int fd_ = -1;
};

}  // namespace longbow
