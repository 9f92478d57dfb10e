// A run's directory, held by one trainer at a time.
#pragma once

#include <filesystem>

namespace longbow {

class RunDirectory {
public:
    // Makes the directory if needed, locks it (Error naming the other process if it is taken), and removes what a killed trainer left.
    explicit RunDirectory(std::filesystem::path path);
    ~RunDirectory();
    RunDirectory(const RunDirectory&) = delete;
    RunDirectory& operator=(const RunDirectory&) = delete;

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
    int lock_ = -1;
};

}  // namespace longbow
