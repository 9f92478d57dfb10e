// Imports public models into the cache. An entry is a folder CACHE/imports/KEY with the imported run in `run` and, once
// that is whole, entry.json. Whoever makes an entry holds a lock on its folder; whoever only reads it needs none.
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <thread>

#include "longbow/checkpoint/checkpoint.h"
#include "longbow/checkpoint/import.h"
#include "longbow/checkpoint/public_model.h"
#include "longbow/core/build_info.h"
#include "longbow/core/cache.h"
#include "longbow/core/error.h"
#include "longbow/core/failpoint.h"
#include "longbow/core/files.h"
#include "longbow/core/hash.h"
#include "longbow/core/json_text.h"
#include "longbow/core/machine.h"
#include "longbow/core/output.h"
#include "longbow/core/signals.h"
#include "longbow/core/strings.h"
#include "longbow/telemetry/log.h"

namespace longbow {

namespace {

// Is a part of each key. It grows when the same files give another checkpoint than before.
constexpr int kImportRevision = 1;

constexpr std::size_t kHashedPiece = std::size_t{64} << 20;       // bytes that a thread hashes together
constexpr std::uintmax_t kWorthSaying = std::uintmax_t{1} << 30;  // bytes whose hashing may take seconds
constexpr int kMostHashThreads = 8;
constexpr auto kPoll = std::chrono::milliseconds(50);

void stop_if_asked() { throw_if_stop_requested("nothing was imported"); }

// Returns a hash of the file's bytes. Several threads hash pieces of it, since one alone is slower than a disk may be.
std::string content_hash(const fs::path& path) {
    const MappedFile file(path);
    const auto pieces = (file.size() + kHashedPiece - 1) / kHashedPiece;
    std::vector<std::uint64_t> hashes(pieces);
    std::atomic<std::size_t> next{0};
    const auto work = [&] {
        for (auto piece = next++; piece < pieces && !stop_requested(); piece = next++) {
            const auto begin = piece * kHashedPiece, size = std::min(kHashedPiece, file.size() - begin);
            file.prefetch(begin, size);
            hashes[piece] = hash64(file.bytes().data() + begin, size);
        }
    };
    std::vector<std::jthread> threads;
    const auto count =
        std::min<std::size_t>(pieces, static_cast<std::size_t>(std::min(available_cores(), kMostHashThreads)));
    for (std::size_t i = 1; i < count; ++i) threads.emplace_back(work);
    work();
    threads.clear();
    stop_if_asked();
    return fingerprint({reinterpret_cast<const char*>(hashes.data()), hashes.size() * sizeof(std::uint64_t)});
}

// Names of the files are a part of the key, since they decide how a file is read; the folder's name is none.
std::string key_of(const PublicModel& model) {
    const auto files = imported_files(model.place);
    std::uintmax_t bytes = 0;
    for (const auto& file : files) bytes += fs::file_size(file);
    if (bytes >= kWorthSaying) {
        log::info(fmt::format("reading {} of {} to find it in the cache", human_bytes(static_cast<double>(bytes)),
                              model.place.string()));
    }
    auto text = fmt::format("longbow {} import {} {}\n", build_info().version, kImportRevision, model.options());
    for (const auto& file : files) {
        // The name of a GGUF file says nothing, and so is no part of the key.
        text += json_text(Json::array(
                    {model.is_file() ? "" : file.filename().string(), fs::file_size(file), content_hash(file)})) +
                "\n";
    }
    const auto key = fingerprint(text);
    return key.substr(key.find(':') + 1);
}

// Waits for the process that makes the same entry. A file system without locks counts as unlocked; of two processes
// there, the first to finish wins (make()).
class EntryLock {
public:
    EntryLock(const fs::path& entry, const std::string& model) {
        fd_ = ::open(entry.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd_ < 0) throw_file_error("cannot open", entry);
        for (bool said = false; ::flock(fd_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK; said = true) {
            if (!said) log::info(model + ": another process is importing it: waiting for it");
            std::this_thread::sleep_for(kPoll);
            if (stop_requested()) ::close(fd_);
            stop_if_asked();
        }
    }
    ~EntryLock() {
        if (fd_ >= 0) ::close(fd_);
    }
    EntryLock(const EntryLock&) = delete;
    EntryLock& operator=(const EntryLock&) = delete;

private:
    int fd_ = -1;
};

fs::path run_of(const fs::path& entry) { return entry / "run"; }
fs::path checkpoint_in(const fs::path& entry) { return checkpoint_path(run_of(entry), 0); }

// Returns what is wrong with the checkpoint in an entry; empty if it is whole.
std::string damage_in(const fs::path& entry) {
    try {
        const auto about = parse_json(read_file(entry / "entry.json"));
        const auto manifest = checkpoint_in(entry) / "manifest.json";
        if (!about.is_object() || about.value("manifest", "") != fingerprint_file(manifest))
            throw CheckpointError(manifest.string() + " is damaged");
        verify_checkpoint(checkpoint_in(entry));
        return "";
    } catch (const std::exception& fault) {
        return fault.what();
    }
}

void import_into(const fs::path& entry, const PublicModel& model) {
    auto request = import_request(model);
    request.out = run_of(entry);
    const auto report = model.is_file() ? import_gguf(request) : import_hf(request);
    failpoint("import.cache_placed");
    const Json about{{"model", fs::absolute(model.place).string()},
                     {"options", model.options()},
                     {"manifest", fingerprint_file(checkpoint_in(entry) / "manifest.json")}};
    write_file_atomic(entry / "entry.json", json_text(about, 1) + "\n");
    log::info(fmt::format("{}: {}, imported into {}{}", model.place.string(), report.architecture, entry.string(),
                          report.definition.empty() ? "" : " with " + report.definition));
}

// Makes the entry anew.
void make(const fs::path& entry, const std::string& damage, const PublicModel& model) {
    std::error_code error;
    if (fs::exists(run_of(entry), error)) log::warn(damage + "; the model is imported again");
    fs::remove(entry / "entry.json", error);
    fs::remove_all(run_of(entry), error);
    if (error) throw Error("cannot remove " + run_of(entry).string() + ": " + error.message());
    try {
        import_into(entry, model);
    } catch (const Error&) {
        // Without a lock another process may have made it meanwhile.
        if (!damage_in(entry).empty()) throw;
    }
}

// Asks `make` once in a process for a model. Verbs resolve names on one thread.
template <class Value>
Value remembered(std::map<std::string, Value>& known, const PublicModel& model, Value (*make)(const PublicModel&)) {
    const auto name = whole_path(model.place).string() + "@" + model.options();
    auto found = known.find(name);
    if (found == known.end()) found = known.emplace(name, make(model)).first;
    return found->second;
}

constexpr const char* kRemedy =
    "; LONGBOW_CACHE names another cache, and `longbow import` imports to a place of your choice";

// Returns the folder of the model's entry, which need not exist.
fs::path entry_of(const PublicModel& model) {
    const auto cache = cache_folder();
    if (cache.empty()) {
        throw Error(model.place.string() + ": neither LONGBOW_CACHE, XDG_CACHE_HOME nor HOME is set" + kRemedy);
    }
    return fs::absolute(cache) / "imports" / content_key(model);
}

fs::path find_or_make(const PublicModel& model) {
    const auto name = model.place.string();
    const auto entry = entry_of(model);
    failpoint("import.cache_hashed");
    if (!damage_in(entry).empty()) {
        try {
            make_output_folder(entry);
            const EntryLock lock(entry, name);
            // What another process has made meanwhile is taken.
            if (const auto damage = damage_in(entry); !damage.empty()) {
                make(entry, damage, model);
                return checkpoint_in(entry);
            }
        } catch (const Error& error) {
            if (error.code() != ExitCode::failure || stop_requested()) throw;
            throw Error(name + " cannot be imported into the cache: " + error.what() + kRemedy);
        }
    }
    log::info(name + ": found in the cache, " + entry.string());
    return checkpoint_in(entry);
}

}  // namespace

PublicImportRequest import_request(const PublicModel& model) {
    PublicImportRequest request;
    request.source.path = model.place;
    request.source.rounded = model.rounded;
    request.source.train_length = model.train_length;
    return request;
}

std::string content_key(const PublicModel& model) {
    static std::map<std::string, std::string> known;
    const StopHandlersScope stops;
    return remembered(known, model, key_of);
}

fs::path cached_place(const PublicModel& model) { return checkpoint_in(entry_of(model)); }

bool is_cached(const PublicModel& model) {
    std::error_code error;
    return fs::exists(entry_of(model) / "entry.json", error);
}

fs::path cached_checkpoint(const PublicModel& model) {
    static std::map<std::string, fs::path> known;
    const StopHandlersScope stops;
    const auto checkpoint = remembered(known, model, find_or_make);
    throw_if_stop_requested("the model is in the cache, and nothing else was done");
    return checkpoint;
}

}  // namespace longbow
