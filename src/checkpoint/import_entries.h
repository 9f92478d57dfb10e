// The entries of the cache of imported models: their locks, and the removal of those that nothing uses any more. An
// entry is a folder CACHE/imports/KEY with the imported run in `run` and, once that is whole, entry.json.
//
// Whoever makes or removes an entry locks its folder. Whoever reads one holds a shared lock on its entry.json, so that
// it is not removed meanwhile. A file system without locks counts as unlocked.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace longbow {

std::filesystem::path run_in_entry(const std::filesystem::path& entry);
std::filesystem::path about_entry(const std::filesystem::path& entry);  // entry.json

// Makes the folder of an entry if need be and locks it; waits while another process makes this entry or removes it.
// Throws Error if it cannot be made, and if a signal stops the wait. `model` names what is imported, in messages.
class EntryLock {
public:
    EntryLock(const std::filesystem::path& entry, const std::string& model);
    ~EntryLock();
    EntryLock(const EntryLock&) = delete;
    EntryLock& operator=(const EntryLock&) = delete;

private:
    int fd_ = -1;
};

// Marks an entry as used now and keeps it from being removed until this process ends. Returns false if another process
// is removing it or it is gone.
bool keep_entry(const std::filesystem::path& entry);

// Returns after how many days without use an entry may be removed: LONGBOW_IMPORTS_DAYS, or 30; 0: never. Throws
// UsageError if the variable is not a whole number.
int days_of_entries();

// Removes the entries in CACHE/imports that have not been used for so many days, and what a killed removal left. What
// is not an entry stays, and so does one that another process reads or makes. Says what it removes; what cannot be
// removed causes a warning. Fail point: import.in_prune (an entry has been put out of the way).
void remove_old_entries(const std::filesystem::path& imports, int days);

}  // namespace longbow
