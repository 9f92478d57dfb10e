// Shows the progress of prepare over all splits in bytes on disk, and the rate in bytes of text. The work of an
// earlier, interrupted process counts as done, but not for the rate.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "longbow/telemetry/progress.h"
#include "prepare_state.h"

namespace longbow {

class PrepareProgress {
public:
    PrepareProgress(const SplitFiles& splits, const PrepareState& state);
    // Counts the bytes read of the files on disk, including those of earlier processes.
    std::atomic<std::uint64_t>& position() { return position_; }
    // Reports that `text_bytes` more bytes of this split's text are done.
    void show(const std::string& split, std::uint64_t text_bytes);
    [[nodiscard]] double seconds() const { return meter_.elapsed(); }
    [[nodiscard]] std::uint64_t text_bytes() const { return text_bytes_; }
    void finish() { line_.finish(); }

private:
    std::uint64_t total_ = 0, begun_ = 0, text_bytes_ = 0;
    std::atomic<std::uint64_t> position_{0};
    RateMeter meter_;
    ProgressLine line_;
};

}  // namespace longbow
