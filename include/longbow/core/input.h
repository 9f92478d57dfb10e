// Reads files that a user names as input. Such a file may be a pipe or a terminal (/dev/stdin, <(COMMAND)), so that
// waiting for its other end stops when SIGINT or SIGTERM comes.
#pragma once

#include <cstddef>
#include <filesystem>

namespace longbow {

// Returns a close-on-exec descriptor for reading, or -1 with errno when the path cannot be opened. Does not wait for a
// pipe's writer.
int open_input(const std::filesystem::path& path);
// Reads up to `size` bytes and returns their number: 0 at the end, -1 with errno where reading fails. Throws Error when
// a signal has asked the process to stop; `path` names the input in that message.
std::ptrdiff_t read_input(int fd, void* data, std::size_t size, const std::filesystem::path& path);
// Returns whether the input can be read a second time, by this process or another: true for a regular file, also behind
// links and /dev/stdin.
bool can_be_read_again(const std::filesystem::path& path);

}  // namespace longbow
