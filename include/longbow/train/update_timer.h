// Times the product's own training updates (batch, forward, backward, clipping, optimizer) without a run directory, for
// `longbow bench train`.
#pragma once

#include <memory>

#include "longbow/train/trainer.h"

namespace longbow {

class UpdateTimer {
public:
    // Opens data and model as train() would. A store that is missing is prepared in a temporary folder, which is gone
    // once it is open. Throws InterruptedError where a signal ends that, with the folder gone too. `request.run_dir` is
    // not written to.
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
