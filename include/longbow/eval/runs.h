// Finds runs and names them, by one rule for eval, compare and report.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "longbow/checkpoint/public_model.h"

namespace longbow {

// Returns the run that `path` belongs to: `path` itself; the folder of a file in a run (RUN/results.jsonl); RUN for
// RUN/checkpoints and RUN/checkpoints/NAME, also through links. A checkpoint elsewhere (an imported one) is a run of
// its own, and so is a public model, of which the result may be a file. The result is absolute and has no trailing
// slash or dot.
std::filesystem::path run_folder(const std::filesystem::path& path);

// Returns the name of the run at `path` (resolved as by run_folder()): the name of its folder and, for one of several
// seeds, of the folder above: "alibi" for runs/demo/alibi, "alibi/seed-1" for runs/alibi/seed-1. A model in the folder
// of downloads of the Hugging Face hub, models--ORG--NAME/snapshots/REVISION, has the name that it has there: ORG/NAME.
// A name is UTF-8; bytes of a folder's name that are not are written as \xHH.
std::string run_name(const std::filesystem::path& path);
// Returns the name of a public model in rows: its place's, and " rounded" if it was asked for.
std::string public_model_name(const PublicModel& model);
// Returns the names of several runs, each with as many folders above it as tell them apart: "a/alibi", "b/alibi".
std::vector<std::string> run_names(const std::vector<std::filesystem::path>& paths);

struct FoundRun {
    std::filesystem::path folder;  // below the searched folder, by the path on which it was found
    bool results = false;          // whether it holds results.jsonl
    // Whether it holds checkpoints/ with at least one, or is a checkpoint itself (an imported one).
    bool checkpoints = false;
};

// Returns all runs at `folder` and below, at any depth, sorted by path. Links are followed, and each folder is visited
// once however it is reached (by its real path if that is below `folder`). Hidden folders and the contents of
// checkpoints are skipped. A folder that cannot be read causes a warning. Throws Error if `folder` is not a folder.
std::vector<FoundRun> find_runs(const std::filesystem::path& folder);

}  // namespace longbow
