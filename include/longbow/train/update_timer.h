// Times the product's own training updates (batch, forward, backward, clipping, optimizer) without a run directory, for
// `longbow bench train`.
#pragma once

#include <memory>

#include "longbow/train/trainer.h"

namespace longbow {

class UpdateTimer {
public:
    // Opens data and model as train() would. A missing store is prepared in a temporary folder, which is removed as
    // soon as the store is open. Throws InterruptedError, also with the folder removed, if a signal asks to stop.
    // Nothing is written to `request.run_dir`.
    explicit UpdateTimer(const TrainRequest& request);
    ~UpdateTimer();
    // Runs one update and returns its seconds.
    double step();
    [[nodiscard]] double tokens_per_update() const;
    [[nodiscard]] const std::string& gemm_library() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace longbow
