#include "run_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "longbow/checkpoint/checkpoint.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/output.h"
#include "longbow/core/strings.h"

namespace longbow {

RunDirectory::RunDirectory(fs::path path) : path_(std::move(path)) {
    std::error_code error;
    for (const auto& file : {path_ / "log.txt", path_ / ".lock"}) {
        if (!fs::exists(fs::symlink_status(file, error))) created_.push_back(file);
    }
    for (fs::path folder = fs::absolute(follow_links(path_)); !folder.empty() && !fs::exists(folder, error);
         folder = folder.parent_path()) {
        if (folder.has_filename()) created_.push_back(folder);
    }
    make_output_folder(path_);
    // These are read back when the run is resumed, and by other commands.
    for (const char* name : {"config.yaml", "log.txt", "metrics.jsonl"}) {
        if (fs::is_fifo(find_output(path_ / name).path))
            throw Error((path_ / name).string() + " is a pipe: a run needs a file there");
    }
    const fs::path file = path_ / ".lock";
    lock_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (lock_ < 0) throw Error("cannot write to the run directory " + path_.string() + ": " + std::strerror(errno));
    // The kernel releases the lock when the process ends, however it ends.
    if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
        const std::string holder = std::string(trim(read_file(file)));
        ::close(lock_);
        throw Error("another trainer" + (holder.empty() ? "" : " (process " + holder + ")") + " is running in " +
                    path_.string() + ": wait for it, stop it, or choose another --run-dir");
    }
    const std::string pid = std::to_string(::getpid()) + "\n";
    if (::ftruncate(lock_, 0) != 0 || ::write(lock_, pid.data(), pid.size()) < 0) {
        const int saved = errno;
        ::close(lock_);
        throw Error("cannot write " + file.string() + ": " + std::strerror(saved));
    }
    clean_checkpoint_leftovers(path_);
}

RunDirectory::~RunDirectory() {
    if (!kept_) remove_created();
    ::close(lock_);
}

// Folders are removed only if they are empty, so a store that was made inside is not lost.
void RunDirectory::remove_created() const {
    std::error_code ignored;
    for (const auto& path : created_) fs::remove(path, ignored);
}

}  // namespace longbow
