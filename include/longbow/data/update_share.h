// How the inputs of an update are dealt out to the ranks of a run. train.batch and train.accumulate say what an update is, whatever the
// number of ranks: the same inputs, and so the same trajectory up to rounding.
#pragma once

#include <cstdint>
#include <vector>

#include "longbow/data/batches.h"

namespace longbow {

struct UpdateShare {
    std::vector<std::vector<TrainingInput>>
        micro_batches;                     // this rank's, at most train.batch inputs each; none at the end of a short epoch
    std::vector<TrainingInput> first;      // one input of the update: what a rank without a share computes for nothing
    std::int64_t samples = 0, tokens = 0;  // of the whole update
};

// Throws ConfigError if an update has fewer inputs than there are ranks.
void check_share(const TrainConfig& config, int world);

// If `world` divides train.accumulate each rank takes as many whole micro-batches; otherwise the update's inputs are cut into `world`
// parts that differ by at most one input. Throws as check_share().
UpdateShare share_of_update(const TrainingOrder& order, const DataPosition& position, const TrainConfig& config, int rank = 0,
                            int world = 1);

}  // namespace longbow
