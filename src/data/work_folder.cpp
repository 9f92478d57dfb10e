#include "work_folder.h"

#include "longbow/core/error.h"
#include "longbow/core/failpoint.h"
#include "longbow/core/hash.h"
#include "longbow/core/json_text.h"
#include "longbow/core/strings.h"
#include "longbow/telemetry/log.h"

namespace longbow {

namespace {

fs::path whole_path(const fs::path& out) {
    const fs::path path = fs::absolute(out).lexically_normal();
    return path.has_filename() ? path : path.parent_path();
}

void make_folder(const fs::path& path) {
    std::error_code error;
    fs::create_directories(path, error);
    if (error) throw Error("cannot create " + path.string() + ": " + error.message());
}

// What write_file_atomic() leaves when it is killed.
void remove_temporaries(const fs::path& folder) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
        if (entry.path().filename().string().find(".tmp-") != std::string::npos) fs::remove(entry.path(), error);
    }
}

}  // namespace

fs::path WorkFolder::place(const fs::path& out) {
    const auto path = whole_path(out);
    return path.parent_path() / ("." + path.filename().string() + ".preparing");
}

WorkFolder::WorkFolder(const fs::path& out) : out_(whole_path(out)), path_(place(out)) {
    make_folder(path_);
    lock_.emplace(path_, "another prepare is writing this store; wait for it, or choose another place");
    make_folder(store());
    remove_temporaries(path_);
    remove_temporaries(store());
}

WorkFolder::~WorkFolder() {
    std::error_code ignored;
    if (!keep_) fs::remove_all(path_, ignored);
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
    log::warn(file.string() + " is damaged: starting anew");
    return std::nullopt;
}

void WorkFolder::save(Json state) {
    sync_path(store());
    state["checksum"] = fingerprint(json_text(state));
    write_file_atomic(path_ / "state.json", json_text(state));
    keep_ = true;
}

void WorkFolder::start_anew() {
    keep_ = false;
    std::error_code error;
    fs::remove(path_ / "state.json", error);  // first: without it the rest means nothing
    fs::remove_all(store(), error);
    make_folder(store());
}

void WorkFolder::finish() {
    sync_path(store());
    failpoint("data.before_rename");
    place_directory(store(), out_, true);
    failpoint("data.after_rename");
    keep_ = false;
}

}  // namespace longbow
