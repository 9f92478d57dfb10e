#include "import_entries.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <map>
#include <thread>
#include <vector>

#include "longbow/checkpoint/public_model.h"
#include "longbow/core/cache.h"
#include "longbow/core/error.h"
#include "longbow/core/failpoint.h"
#include "longbow/core/files.h"
#include "longbow/core/json_text.h"
#include "longbow/core/output.h"
#include "longbow/core/signals.h"
#include "longbow/core/strings.h"
#include "longbow/telemetry/log.h"
#include "longbow/telemetry/terminal.h"

namespace longbow {

namespace {

constexpr auto kPoll = std::chrono::milliseconds(50);
constexpr const char* kDays = "LONGBOW_IMPORTS_DAYS";
constexpr int kDefaultDays = 30, kMostDays = 36500;
constexpr std::size_t kKeyDigits = 16;
constexpr std::string_view kGone = ".gone-";

class Descriptor {
public:
    explicit Descriptor(int number) : number_(number) {}
    ~Descriptor() {
        if (number_ >= 0) ::close(number_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    [[nodiscard]] int number() const { return number_; }

private:
    int number_;
};

// Returns whether `path` still leads to the file that is open.
bool still_there(int fd, const fs::path& path) {
    struct stat opened {
    }, named{};
    return ::fstat(fd, &opened) == 0 && ::stat(path.c_str(), &named) == 0 && opened.st_dev == named.st_dev &&
           opened.st_ino == named.st_ino;
}

bool held_elsewhere(int fd, int operation) { return ::flock(fd, operation | LOCK_NB) != 0 && errno == EWOULDBLOCK; }

bool is_key(std::string_view name) {
    return name.size() == kKeyDigits && name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// ".KEY.gone-PID" is an entry whose removal was cut short.
bool is_gone(std::string_view name) {
    return name.size() > 1 + kKeyDigits && name[0] == '.' && is_key(name.substr(1, kKeyDigits)) &&
           name.substr(1 + kKeyDigits).starts_with(kGone);
}

// Returns when the entry was last used; nothing if the folder is not an entry.
std::optional<fs::file_time_type> used_at(const fs::path& entry) {
    std::error_code error;
    if (!is_key(entry.filename().string()) || !fs::is_directory(fs::symlink_status(entry, error))) return std::nullopt;
    const auto about = fs::last_write_time(about_entry(entry), error);
    if (!error) return about;
    // An import that was killed leaves a folder without entry.json.
    const auto folder = fs::last_write_time(entry, error);
    return error ? std::nullopt : std::optional(folder);
}

double bytes_in(const fs::path& folder) {
    double bytes = 0;
    std::error_code error;
    for (auto at = fs::recursive_directory_iterator(folder, error); !error && at != fs::recursive_directory_iterator();
         at.increment(error)) {
        std::error_code gone;
        if (fs::is_regular_file(fs::symlink_status(at->path(), gone)))
            bytes += static_cast<double>(at->file_size(gone));
    }
    return bytes;
}

std::string model_of(const fs::path& entry) {
    std::error_code error;
    if (!fs::exists(about_entry(entry), error)) return "an interrupted import";
    const auto about = parse_json(read_file(about_entry(entry)));
    return about.is_object() && about.contains("model") && about["model"].is_string()
               ? printable(about["model"].get<std::string>())
               : "a damaged entry";
}

// Removes the entry unless another process reads or makes it.
void remove_entry(const fs::path& entry, int days) {
    const Descriptor folder(::open(entry.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder.number() < 0 || held_elsewhere(folder.number(), LOCK_EX) || !still_there(folder.number(), entry)) return;
    const Descriptor about(::open(about_entry(entry).c_str(), O_RDONLY | O_CLOEXEC));
    if (about.number() >= 0 && held_elsewhere(about.number(), LOCK_EX)) return;
    const auto text = fmt::format("{} of {}", entry.string(), model_of(entry));
    const auto bytes = bytes_in(entry);
    const auto gone = entry.parent_path() / fmt::format(".{}{}{}", entry.filename().string(), kGone, ::getpid());
    std::error_code error;
    fs::rename(entry, gone, error);
    failpoint("import.in_prune");
    if (!error) fs::remove_all(gone, error);
    if (error) {
        log::warn("cannot remove " + text + ": " + error.message());
    } else {
        log::info(
            fmt::format("removed {} ({}), which was not used for {} days ({})", text, human_bytes(bytes), days, kDays));
    }
}

std::vector<fs::path> paths_in(const fs::path& folder) {
    std::vector<fs::path> paths;
    std::error_code error;
    for (auto at = fs::directory_iterator(folder, error); !error && at != fs::directory_iterator(); at.increment(error))
        paths.push_back(at->path());
    std::sort(paths.begin(), paths.end());
    return paths;
}

}  // namespace

fs::path run_in_entry(const fs::path& entry) { return entry / "run"; }
fs::path about_entry(const fs::path& entry) { return entry / "entry.json"; }

EntryLock::EntryLock(const fs::path& entry, const std::string& model) {
    for (bool said = false;;) {
        make_output_folder(entry);
        fd_ = ::open(entry.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd_ < 0 && errno == ENOENT) continue;  // another process has just removed it
        if (fd_ < 0) throw_file_error("cannot open", entry);
        while (held_elsewhere(fd_, LOCK_EX)) {
            if (!said) log::info(model + ": another process is importing it: waiting for it");
            said = true;
            std::this_thread::sleep_for(kPoll);
            if (stop_requested()) ::close(fd_);
            throw_if_stop_requested("nothing was imported");
        }
        if (still_there(fd_, entry)) return;
        ::close(fd_);  // it was removed while this process waited
    }
}

EntryLock::~EntryLock() {
    if (fd_ >= 0) ::close(fd_);
}

bool keep_entry(const fs::path& entry) {
    static std::map<fs::path, int> kept;  // open until the process ends
    const auto about = about_entry(entry);
    if (const auto known = kept.find(entry); known != kept.end()) {
        if (still_there(known->second, about)) return true;
        ::close(known->second);
        kept.erase(known);
    }
    const int fd = ::open(about.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    if (held_elsewhere(fd, LOCK_SH) || !still_there(fd, about)) {
        ::close(fd);
        return false;
    }
    kept.emplace(entry, fd);
    // A cache that is only read keeps its times.
    (void)::futimens(fd, nullptr);
    return true;
}

int days_of_entries() {
    const char* value = std::getenv(kDays);
    if (value == nullptr || *value == '\0') return kDefaultDays;
    const std::string text = value;
    int days = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), days);
    if (error != std::errc{} || end != text.data() + text.size() || days < 0 || days > kMostDays) {
        throw UsageError(fmt::format(
            "{}={}: expected the days after which an unused import is removed, a whole number up to {}; 0: never",
            kDays, printable(text), kMostDays));
    }
    return days;
}

void remove_old_entries(const fs::path& imports, int days) {
    if (days == 0) return;
    const auto limit = fs::file_time_type::clock::now() - std::chrono::hours(24) * days;
    for (const auto& path : paths_in(imports)) {
        if (is_gone(path.filename().string())) {
            std::error_code error;
            fs::remove_all(path, error);
        } else if (const auto used = used_at(path); used && *used < limit) {
            remove_entry(path, days);
        }
    }
}

ImportsSize size_of_imports() {
    ImportsSize size;
    const auto cache = cache_folder();
    if (cache.empty()) return size;
    size.folder = fs::absolute(cache) / "imports";
    for (const auto& path : paths_in(size.folder)) {
        if (!used_at(path)) continue;
        ++size.entries;
        size.bytes += bytes_in(path);
    }
    return size;
}

}  // namespace longbow
