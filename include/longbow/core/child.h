// Starts longbow again as a child process, with other arguments; and how a shell is told to.
#pragma once

#include <sys/types.h>

#include <csignal>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace longbow {

struct ChildOptions {
    std::vector<std::pair<std::string, std::string>> environment;  // set on top of this process's
    std::filesystem::path log;                                     // where its output is appended; empty: where this process's goes
    int death_signal = SIGTERM;                                    // what it gets when this process dies
};

// The child is in a process group of its own: Ctrl-C on the terminal reaches it once, through its parent, and not twice (the second ends
// it at once). Throws Error if no process can be started.
pid_t start_self(const std::vector<std::string>& arguments, const ChildOptions& options);

// As a word of a shell's command line: in single quotes where it needs them.
std::string shell_word(const std::string& text);

// As a shell has it: the exit code, or 128 + the signal.
int exit_code(int wait_status);

}  // namespace longbow
