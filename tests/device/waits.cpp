#include "waits.h"

#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <mutex>
#include <vector>

#include "fault.h"
#include "pinned_memory.h"

namespace pretend {

namespace {

constexpr int kPoison = 0xFF;  // NaN

struct Upload {
    const char* source;
    std::vector<char> values;
};
struct Download {
    char* target;
    std::vector<char> values;
};

struct Queue {
    std::mutex mutex;
    std::vector<Upload> uploads;
    std::vector<Download> downloads;

    void finish() {
        for (const auto& upload : uploads) {
            if (std::memcmp(upload.source, upload.values.data(), upload.values.size()) != 0)
                fail("the source of a non-blocking copy to the device was changed before the next wait");
        }
        for (const auto& download : downloads)
            std::memcpy(download.target, download.values.data(), download.values.size());
        uploads.clear();
        downloads.clear();
        PinnedMemory::instance().waited();
    }
};
Queue& queue() {
    static auto* const instance = new Queue;
    return *instance;
}

// Is written to the folder LONGBOW_PRETEND_REPORTS when the process ends, one file a process.
struct Report {
    std::mutex mutex;
    std::map<std::string, long> waits, operators;

    ~Report() {
        {
            const std::lock_guard lock(queue().mutex);
            queue().finish();
        }
        const char* const folder = std::getenv("LONGBOW_PRETEND_REPORTS");
        if (folder == nullptr) return;
        std::ofstream out(std::string(folder) + "/" + std::to_string(getpid()) + ".txt");
        for (const auto& [name, count] : waits) out << "wait\t" << count << '\t' << name << '\n';
        for (const auto& [name, count] : operators) out << "operator\t" << count << '\t' << name << '\n';
    }
};
Report& report() {
    static Report instance;
    return instance;
}

}  // namespace

void staged(const std::string& why) {
    const std::lock_guard lock(report().mutex);
    ++report().waits[why];
}

void waited(const std::string& why) {
    staged(why);
    const std::lock_guard lock(queue().mutex);
    queue().finish();
}

long wait_count() {
    const std::lock_guard lock(report().mutex);
    long count = 0;
    for (const auto& [name, times] : report().waits) count += times;
    return count;
}

void ran(const std::string& name) {
    const std::lock_guard lock(report().mutex);
    ++report().operators[name];
}

void queue_upload(const void* source, std::size_t bytes, const void* storage) {
    const auto* const from = static_cast<const char*>(source);
    const std::lock_guard lock(queue().mutex);
    PinnedMemory::instance().use_until_wait(source, storage);
    queue().uploads.push_back({from, {from, from + bytes}});
}

void queue_download(void* target, const void* values, std::size_t bytes, const void* storage) {
    const auto* const from = static_cast<const char*>(values);
    const std::lock_guard lock(queue().mutex);
    PinnedMemory::instance().use_until_wait(target, storage);
    queue().downloads.push_back({static_cast<char*>(target), {from, from + bytes}});
    std::memset(target, kPoison, bytes);
}

}  // namespace pretend
