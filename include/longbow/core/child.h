// Starts longbow again as a child process with other arguments, and quotes words for a command that a user pastes into
// a shell.
#pragma once

#include <sys/types.h>

#include <csignal>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace longbow {

struct ChildOptions {
    std::vector<std::pair<std::string, std::string>> environment;  // variables set on top of this process's own
    std::filesystem::path log;                                     // where its output is appended; empty: inherited
    int death_signal = SIGTERM;                                    // signal that the child gets when this process dies
};

// Starts the child in a process group of its own. Ctrl-C on the terminal therefore reaches it only once, passed on by
// its parent; a second SIGINT would end it at once instead of letting it save. The child's standard input is /dev/null.
// Throws Error if no process can be started.
pid_t start_self(const std::vector<std::string>& arguments, const ChildOptions& options);

// Quotes `text` as one word of a shell's command line, in single quotes where they are needed.
std::string shell_word(const std::string& text);

// Converts a status from waitpid() to what a shell reports: the exit code, or 128 + the number of the signal that ended
// the process.
int exit_code(int wait_status);

}  // namespace longbow
