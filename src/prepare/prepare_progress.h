// Progress of prepare over all splits, by bytes on disk; the rate in bytes of text. What an earlier process did counts as done, but not for
// the rate.
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
    // Bytes read of the files on disk, those of earlier processes included.
    std::atomic<std::uint64_t>& position() { return position_; }
    // So many more bytes of text of this split are through.
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
