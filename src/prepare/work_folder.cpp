#include "work_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <vector>

#include "longbow/core/error.h"
#include "longbow/core/failpoint.h"
#include "longbow/core/hash.h"
#include "longbow/core/json_text.h"
#include "longbow/core/output.h"
#include "longbow/core/strings.h"
#include "longbow/data/manifest.h"
#include "longbow/telemetry/log.h"

namespace longbow {

namespace {

fs::path place_of_store(const fs::path& out) {
    return without_trailing_slashes(fs::weakly_canonical(fs::absolute(out)));
}

// Removes the temporary files that write_file_atomic() leaves when it is killed.
void remove_temporaries(const fs::path& folder) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
        if (entry.path().filename().string().find(".tmp-") != std::string::npos) fs::remove(entry.path(), error);
    }
}

// Moves the files into an existing folder instead of replacing it, so that it keeps its mode and owner and stays the
// working folder of a shell in it. manifest.json comes last, since it makes the folder a store.
void fill(const fs::path& from, const fs::path& target) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(from)) files.push_back(entry.path().filename());
    const auto move = [&](const fs::path& name) {
        if (::rename((from / name).c_str(), (target / name).c_str()) != 0)
            throw_file_error("cannot move the store into", target);
    };
    for (const auto& name : files) {
        if (name != kManifestFile) move(name);
        failpoint("data.filling");
    }
    sync_path(target);
    move(kManifestFile);
    sync_path(target);
}

bool partially_moved(const fs::path& store, const fs::path& out) {
    std::error_code absent;
    return fs::exists(store / kManifestFile) && fs::is_directory(out, absent) && !fs::exists(out / kManifestFile);
}

void keep_mode(const fs::path& from, const fs::path& to) {
    struct stat before {};
    if (::stat(from.c_str(), &before) != 0) return;
    [[maybe_unused]] const bool owner = ::chown(to.c_str(), before.st_uid, before.st_gid) == 0;
    (void)::chmod(to.c_str(), before.st_mode & 07777);
}

}  // namespace

fs::path WorkFolder::path_for(const fs::path& out) {
    const auto path = place_of_store(out);
    return path.parent_path() / ("." + path.filename().string() + ".preparing");
}

WorkFolder::WorkFolder(const fs::path& out) : out_(place_of_store(out)), path_(path_for(out)) {
    make_output_folder(path_);
    lock_.emplace(path_, "another prepare is writing this store; wait for it, or choose another place");
    make_output_folder(store());
    remove_temporaries(path_);
    remove_temporaries(store());
}

WorkFolder::~WorkFolder() {
    if (keep_) return;
    std::error_code ignored;
    fs::remove(path_ / "state.json", ignored);
    fs::remove_all(store(), ignored);
    fs::remove(path_, ignored);  // fails if foreign files are in it
}

void WorkFolder::undo_partial_finish() {
    if (!partially_moved(store(), out_)) return;
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(out_)) files.push_back(entry.path());
    for (const auto& file : files) fs::rename(file, store() / file.filename());
    sync_path(store());
}

std::optional<Json> WorkFolder::load() {
    const fs::path file = path_ / "state.json";
    if (!fs::exists(file)) return std::nullopt;
    Json state = parse_json(read_file(file));
    if (state.is_object() && state.contains("checksum") && state["checksum"].is_string()) {
        const auto checksum = state["checksum"].get<std::string>();
        state.erase("checksum");
        if (checksum == fingerprint(json_text(state))) {
            keep_ = true;
            return state;
        }
    }
    log::warn(file.string() + " is damaged: starting from the beginning");
    return std::nullopt;
}

void WorkFolder::save(Json state) {
    sync_path(store());
    state["checksum"] = fingerprint(json_text(state));
    write_file_atomic(path_ / "state.json", json_text(state));
    keep_ = true;
}

void WorkFolder::clear_contents() {
    keep_ = false;
    std::error_code error;
    fs::remove(path_ / "state.json", error);  // first, since the rest is useless without it
    fs::remove_all(store(), error);
    make_output_folder(store());
}

void WorkFolder::finish() {
    sync_path(store());
    failpoint("data.before_rename");
    std::error_code absent;
    if (fs::is_directory(out_, absent) && !fs::exists(out_ / kManifestFile)) {
        fill(store(), out_);
    } else {
        keep_mode(out_, store());
        place_directory(store(), out_, true);
    }
    failpoint("data.after_rename");
    keep_ = false;
}

}  // namespace longbow
