// Holds a run's directory, which one trainer at a time holds.
#pragma once

#include <filesystem>
#include <vector>

namespace longbow {

class RunDirectory {
public:
    // Makes the directory if needed, locks it (throws Error naming the other process if it is locked), and removes what
    // a killed trainer left.
    explicit RunDirectory(std::filesystem::path path);
    // Unless keep() was called, removes the directory, log.txt and .lock again if the constructor made them.
    ~RunDirectory();
    RunDirectory(const RunDirectory&) = delete;
    RunDirectory& operator=(const RunDirectory&) = delete;

    // Called when the run begins and can no longer be refused.
    void keep() { kept_ = true; }
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    void remove_created() const;

    std::filesystem::path path_;
    std::vector<std::filesystem::path> created_;  // folders and files that did not exist, in the order of their removal
    int lock_ = -1;
    bool kept_ = false;
};

}  // namespace longbow
