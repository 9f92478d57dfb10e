// Divides the inputs of an update among the ranks of a run. train.batch and train.accumulate define an update whatever
// the number of ranks, so that all see the same inputs and follow the same trajectory up to rounding.
#pragma once

#include <cstdint>
#include <vector>

#include "longbow/data/batches.h"

namespace longbow {

struct UpdateShare {
    std::vector<std::vector<TrainingInput>>
        micro_batches;                     // this rank's; none is possible at the end of an epoch
    std::vector<TrainingInput> first;      // one input, for a rank without a share
    std::int64_t samples = 0, tokens = 0;  // of the whole update
};

// Throws ConfigError if an update has fewer inputs than there are ranks.
void check_share(const TrainConfig& config, int world);

// Returns the share of one rank. If `world` divides train.accumulate, each rank takes the same number of whole
// micro-batches; otherwise the update's inputs are cut into `world` parts that differ by at most one input. Throws as
// check_share().
UpdateShare share_of_update(const TrainingOrder& order, const DataPosition& position, const TrainConfig& config, int rank = 0,
                            int world = 1);

}  // namespace longbow
