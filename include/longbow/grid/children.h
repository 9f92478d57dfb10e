// Runs chains of commands as child processes of this same program, some chains at once.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace longbow {

// Holds a lock on a folder for this process and its children: as long as one of them lives, no other process works in
// the folder. The constructor waits for the last holder and logs that it waits. It throws InterruptedError when a
// signal asks to stop meanwhile.
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
    std::vector<std::vector<std::string>> commands;  // arguments after the program's name; run in this order
    std::filesystem::path log;                       // the children append stdout and stderr to it
    std::vector<double> costs;                       // of each command, for the progress line; empty: all cost the same
};

struct ChainFailure {
    std::string name, command;
    std::filesystem::path log;
    int code = 0;
};

// Runs the chains, at most `jobs` at once, under one progress line: each command counts by its cost, and a running one
// by the progress that it reports itself (SharedProgress). A command that fails ends its chain; the failures are
// returned. When a signal asks to stop (core/signals.h), the children get SIGTERM once and are waited for, and
// InterruptedError is thrown. If this process is killed, the kernel sends SIGTERM to the children.
std::vector<ChainFailure> run_chains(const std::vector<Chain>& chains, int jobs);

}  // namespace longbow
