// Runs one update: forward and backward passes over the micro-batches, then one step of the optimizer, unless loss or
// gradient is not finite.
#pragma once

#include <cstdint>

namespace longbow {

struct Session;

struct UpdateResult {
    double nll = 0;  // sum over the update's tokens
    std::int64_t tokens = 0;
    double grad_norm = 0;  // before clipping
    double lr = 0;
    bool stop = false;     // this process or another rank was told to stop
    bool skipped = false;  // loss or gradient was not finite; the weights are unchanged
    double seconds = 0;
};

// Runs the next update and advances session.state.
UpdateResult run_update(Session& session);

}  // namespace longbow
