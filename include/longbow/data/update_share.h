// Divides the inputs of an update among the ranks of a run. train.batch and train.accumulate define an update whatever
// the number of ranks, so that all see the same inputs and follow the same trajectory up to rounding.
#pragma once

#include <cstdint>
#include <vector>

#include "longbow/data/batches.h"

namespace longbow {

// One rank's part of an update: at most train.batch inputs a micro-batch. A short update at the end of an epoch may
// leave a rank without any; such a rank computes `first` with weight 0, so that it takes part in the all-reduce.
struct UpdateShare {
    std::vector<std::vector<TrainingInput>> micro_batches;  // of this rank
    std::vector<TrainingInput> first;                       // one input of the update
    std::int64_t samples = 0, tokens = 0;                   // of the whole update
    std::int64_t losses = 0;                                // those of its tokens that give a loss
};

// Throws ConfigError if an update has fewer inputs than there are ranks.
void check_share(const TrainConfig& config, int world);

// The most that a rank has of an update: inputs of a micro-batch, and micro-batches.
struct LargestShare {
    std::int64_t inputs = 0, micro_batches = 0;
};
LargestShare largest_share(const TrainConfig& config, int world);

// Returns the share of one rank. If `world` divides train.accumulate, each rank takes the same number of whole
// micro-batches; otherwise the update's inputs are cut into `world` parts that differ by at most one input. Throws as
// check_share().
UpdateShare share_of_update(const TrainingOrder& order, const DataPosition& position, const TrainConfig& config,
                            int rank = 0, int world = 1);

}  // namespace longbow
