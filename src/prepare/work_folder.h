// Where a store grows until it is whole: ".NAME.preparing" beside its place, with what is needed to go on after the process has ended.
//
//   .NAME.preparing/store/      the store's files so far
//   .NAME.preparing/state.json  how far they are whole; replaced as one, so that a kill leaves the old or the new
#pragma once

#include <filesystem>
#include <optional>

#include "longbow/core/files.h"
#include "longbow/core/json.h"

namespace longbow {

class WorkFolder {
public:
    // Makes it, or opens the one that is there, and holds it for this process. Throws Error: another process holds it, no permission.
    explicit WorkFolder(const fs::path& out);
    // Removes it, unless something is saved in it.
    ~WorkFolder();
    WorkFolder(const WorkFolder&) = delete;
    WorkFolder& operator=(const WorkFolder&) = delete;

    static fs::path place(const fs::path& out);

    [[nodiscard]] const fs::path& path() const { return path_; }
    [[nodiscard]] fs::path store() const { return path_ / "store"; }
    // Back here with what finish() had moved when it was cut short.
    void take_back();
    // What was saved last. None when there is none, or it is damaged (which a log line says).
    std::optional<Json> load();
    // The store's files must be on the disk as the state says.
    void save(Json state);
    // Empties the folder.
    void start_anew();
    // The store is whole: it goes to its place, and this folder goes away. A store that is there is exchanged with it as a whole; an empty folder
    // that is there stays and gets the files, manifest.json last.
    void finish();

private:
    fs::path out_, path_;
    std::optional<FolderLock> lock_;
    bool keep_ = false;
};

}  // namespace longbow
