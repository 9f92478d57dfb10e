// The folder in which a store grows until it is finished. It is called ".NAME.preparing", lies beside the store's path,
// and holds what is needed to resume after the process has ended.
//
//   .NAME.preparing/store/      the store's files so far
//   .NAME.preparing/state.json  how much of them is valid; replaced atomically, so that a kill leaves it old or new
#pragma once

#include <filesystem>
#include <optional>

#include "longbow/core/files.h"
#include "longbow/core/json.h"

namespace longbow {

class WorkFolder {
public:
    // Creates or opens the folder and locks it for this process. Throws Error when another process holds it or
    // permission is missing.
    explicit WorkFolder(const fs::path& out);
    // Removes the folder, unless a state is saved in it.
    ~WorkFolder();
    WorkFolder(const WorkFolder&) = delete;
    WorkFolder& operator=(const WorkFolder&) = delete;

    static fs::path path_for(const fs::path& out);

    [[nodiscard]] const fs::path& path() const { return path_; }
    [[nodiscard]] fs::path store() const { return path_ / "store"; }
    // Moves back the files of a finish() that was interrupted.
    void undo_partial_finish();
    // Returns the last saved state, or nothing when there is none or it is damaged (which is logged).
    std::optional<Json> load();
    // Saves a state. The store's files must have been synced as far as the state describes them.
    void save(Json state);
    // Removes the state and the store's files.
    void clear_contents();
    // Moves the finished store to its path, after which the destructor removes this folder. An existing store is
    // exchanged as a whole; an existing empty folder stays and receives the files, manifest.json last.
    void finish();

private:
    fs::path out_, path_;
    std::optional<FolderLock> lock_;
    bool keep_ = false;
};

}  // namespace longbow
