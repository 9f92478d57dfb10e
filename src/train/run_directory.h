// A run's directory, held by one trainer at a time.
#pragma once

#include <filesystem>
#include <vector>

namespace longbow {

class RunDirectory {
public:
    // Makes the directory if needed, locks it (Error naming the other process if it is taken), and removes what a killed trainer left.
    explicit RunDirectory(std::filesystem::path path);
    // Unless keep() was called, the directory is left as it was found: what was made for it, and log.txt, go again.
    ~RunDirectory();
    RunDirectory(const RunDirectory&) = delete;
    RunDirectory& operator=(const RunDirectory&) = delete;

    // The run begins: nothing refuses it any more.
    void keep() { kept_ = true; }
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    void remove_what_was_made() const;

    std::filesystem::path path_;
    std::vector<std::filesystem::path> made_;  // folders and files that were not there, in the order in which they are removed
    int lock_ = -1;
    bool kept_ = false;
};

}  // namespace longbow
