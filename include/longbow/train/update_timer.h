// Times the product's own training updates (batch, forward, backward, clip, optimizer) without a run directory: `longbow bench train`.
#pragma once

#include <memory>

#include "longbow/train/trainer.h"

namespace longbow {

class UpdateTimer {
public:
    // Opens data and model as train() would; the store is prepared first if it is missing. `request.run_dir` is not written to.
    explicit UpdateTimer(const TrainRequest& request);
    ~UpdateTimer();
    // Does one update; returns its seconds.
    double step();
    [[nodiscard]] double tokens_per_update() const;
    [[nodiscard]] const std::string& gemm_library() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace longbow
