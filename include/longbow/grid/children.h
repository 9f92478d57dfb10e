// Child processes of this same program, a chain of commands each, some chains at once.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace longbow {

// Held by this process and its children: as long as one of them lives, nobody else works in the folder. Waits for the last holder,
// saying so; throws InterruptedError when a stop is asked for meanwhile.
class ChildrenLock {
public:
    explicit ChildrenLock(const std::filesystem::path& folder);
    ~ChildrenLock();
    ChildrenLock(const ChildrenLock&) = delete;
    ChildrenLock& operator=(const ChildrenLock&) = delete;

private:
    int file_ = -1;
};

struct Chain {
    std::string name;
    std::vector<std::vector<std::string>> commands;  // arguments after the program's name, in order
    std::filesystem::path log;                       // stdout and stderr are added to it
    std::vector<double> costs;                       // of each command, for the whole's progress; empty: all cost the same
};

struct ChainFailure {
    std::string name, command;
    std::filesystem::path log;
    int code = 0;
};

// Runs the chains, at most `jobs` at once, under a progress line of the whole: each command counts by its cost, those at work by what they say
// of themselves (SharedProgress). A command that fails ends its chain; the failures come back. When a stop is asked for
// (core/signals.h) the children get SIGTERM once, are waited for, and InterruptedError is thrown. Should this process be killed, the kernel
// sends them SIGTERM.
std::vector<ChainFailure> run_chains(const std::vector<Chain>& chains, int jobs);

}  // namespace longbow
