// Imports public models into the cache, or finds them there (import_entries.h).
#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>

#include "import_entries.h"
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

fs::path checkpoint_in(const fs::path& entry) { return checkpoint_path(run_in_entry(entry), 0); }

// Returns what is wrong with the checkpoint in an entry; empty if it is whole.
std::string damage_in(const fs::path& entry) {
    try {
        const auto about = parse_json(read_file(about_entry(entry)));
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
    request.out = run_in_entry(entry);
    const auto report = model.is_file() ? import_gguf(request) : import_hf(request);
    failpoint("import.cache_placed");
    const Json about{{"model", fs::absolute(model.place).string()},
                     {"options", model.options()},
                     {"manifest", fingerprint_file(checkpoint_in(entry) / "manifest.json")}};
    write_file_atomic(about_entry(entry), json_text(about, 1) + "\n");
    log::info(fmt::format("{}: {}, imported into {}{}", model.place.string(), report.architecture, entry.string(),
                          report.definition.empty() ? "" : " with " + report.definition));
}

// Makes the entry anew.
void make(const fs::path& entry, const std::string& damage, const PublicModel& model) {
    std::error_code error;
    if (fs::exists(run_in_entry(entry), error)) log::warn(damage + "; the model is imported again");
    fs::remove(about_entry(entry), error);
    fs::remove_all(run_in_entry(entry), error);
    if (error) throw Error("cannot remove " + run_in_entry(entry).string() + ": " + error.message());
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
    const auto days = days_of_entries();
    failpoint("import.cache_hashed");
    if (!keep_entry(entry) || !damage_in(entry).empty()) {
        try {
            const EntryLock lock(entry, name);
            // What another process has made meanwhile is taken.
            if (const auto damage = damage_in(entry); !damage.empty()) {
                make(entry, damage, model);
                keep_entry(entry);
                remove_old_entries(entry.parent_path(), days);
                return checkpoint_in(entry);
            }
            keep_entry(entry);
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
    return fs::exists(about_entry(entry_of(model)), error);
}

fs::path cached_checkpoint(const PublicModel& model) {
    static std::map<std::string, fs::path> known;
    const StopHandlersScope stops;
    const auto checkpoint = remembered(known, model, find_or_make);
    throw_if_stop_requested("the model is in the cache, and nothing else was done");
    return checkpoint;
}

}  // namespace longbow
