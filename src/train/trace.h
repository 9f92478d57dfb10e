// train.profile: writes a Chrome trace of some updates, one file a rank.
#pragma once

#include <cstdint>
#include <filesystem>

namespace longbow {

class Trace {
public:
    // Profiles `updates` updates (0: none), after 3 that warm up, and writes RUN/trace-rank<rank>.json.
    Trace(std::int64_t updates, const std::filesystem::path& run, int rank, bool gpu);
    ~Trace();
    Trace(const Trace&) = delete;
    Trace& operator=(const Trace&) = delete;
    void before_update();
    void after_update();

private:
    std::int64_t updates_;
    std::filesystem::path file_;
    bool gpu_;
    std::int64_t seen_ = 0;
    bool profiling_ = false;
};

}  // namespace longbow
