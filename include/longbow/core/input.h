// Reading what a user names as input, which may be a pipe or a terminal (/dev/stdin, <(COMMAND)): waiting for the other end is given up when
// SIGINT or SIGTERM comes.
#pragma once

#include <cstddef>
#include <filesystem>

namespace longbow {

// A descriptor to read from, close-on-exec; -1 with errno where it cannot be opened. Does not wait for a pipe's writer.
int open_input(const std::filesystem::path& path);
// Up to `size` bytes; 0 at the end. Throws Error when a stop was asked for; -1 with errno where reading fails.
std::ptrdiff_t read_input(int fd, void* data, std::size_t size, const std::filesystem::path& path);
// Whether it can be read again, by this process or another: a regular file, also behind links and /dev/stdin.
bool can_be_read_again(const std::filesystem::path& path);

}  // namespace longbow
