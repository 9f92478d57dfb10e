#include "prepare_progress.h"

#include <fmt/core.h>

#include "longbow/core/strings.h"

namespace longbow {

PrepareProgress::PrepareProgress(const SplitFiles& splits, const PrepareState& state) {
    for (const auto& [name, files] : splits) total_ += bytes_on_disk(*files);
    for (const auto& split : state.done) {
        for (const auto& source : split.sources) begun_ += source.file_bytes;
    }
    for (const auto& source : state.sources) begun_ += source.file_bytes;
    position_ = begun_;
}

void PrepareProgress::show(const std::string& split, std::uint64_t text_bytes) {
    text_bytes_ += text_bytes;
    const auto done = static_cast<double>(position_.load());
    const double eta = meter_.eta(done - static_cast<double>(begun_), static_cast<double>(total_ - begun_));
    line_.show({{eta_text(eta)},
                {"prepare " + split, /*can_be_cut=*/true},
                {human_bytes(done) + " of " + human_bytes(static_cast<double>(total_))},
                {fmt::format("{:.1f} MB/s", meter_.rate(static_cast<double>(text_bytes_)) / 1e6)}});
}

}  // namespace longbow
