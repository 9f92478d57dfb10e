// Where runs lie, and what they are called: one rule for eval, compare and report.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace longbow {

// The run that `path` belongs to: itself; the folder of a file in it (RUN/results.jsonl); RUN of RUN/checkpoints and of
// RUN/checkpoints/NAME, through links too. A checkpoint elsewhere (an imported one) is its own run. Absolute, and without a slash or dot at
// its end.
std::filesystem::path run_folder(const std::filesystem::path& path);

// The name of the run at `path` (as run_folder() takes it): its folder's, with the folder above for one of several seeds: "alibi" for
// runs/demo/alibi, "alibi/seed-1" for runs/alibi/seed-1. UTF-8: bytes of a folder's name that are not stand as \xHH.
std::string run_name(const std::filesystem::path& path);
// The same for several runs, each with as many folders above it as tell them apart: "a/alibi", "b/alibi".
std::vector<std::string> run_names(const std::vector<std::filesystem::path>& paths);

struct FoundRun {
    std::filesystem::path folder;  // below the folder searched, as it was reached
    bool results = false;          // it holds results.jsonl
    bool checkpoints = false;      // it holds checkpoints/ with one at least, or is a checkpoint itself (an imported one)
};

// All runs at `folder` and below, at any depth, in order of their paths. Links are followed, each folder is visited once however it is
// reached (by its real path where there is one below `folder`); hidden folders, and what lies in a checkpoint, are passed over. A folder that
// cannot be read is a warning. Throws Error when `folder` is no folder.
std::vector<FoundRun> find_runs(const std::filesystem::path& folder);

}  // namespace longbow
