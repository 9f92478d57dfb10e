// Implements data parallelism: each rank holds the whole model and computes on its share of an update's inputs, and
// c10d's Reducer sums the gradients bucket by bucket while the backward pass still runs. With dist.shard_optimizer each
// rank holds the optimizer's state for its part of each bucket only, and applies only that part of the update (ZeRO
// stage 1, Rajbhandari et al. 2020): gradients are reduce-scattered, updated parameters are all-gathered.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "longbow/config/config.h"
#include "longbow/dist/communicator.h"

namespace longbow {

class DataParallel {
public:
    // `parameters` are contiguous leaves, all of which take part in every backward pass. In a run of one process alone
    // (no launcher), the functions below communicate nothing and owned() is `parameters`.
    DataParallel(Communicator& communicator, const std::vector<at::Tensor>& parameters, const DistConfig& config);
    ~DataParallel();
    DataParallel(const DataParallel&) = delete;
    DataParallel& operator=(const DataParallel&) = delete;

    // Returns the tensors that this rank's optimizer updates: the parameters, or flat views of this rank's parts of
    // them when the optimizer is sharded. They have their gradients after the last backward pass of an update.
    [[nodiscard]] const std::vector<at::Tensor>& owned() const { return owned_; }
    [[nodiscard]] bool sharded() const { return sharded_; }

    // Call it before the first backward pass of an update. It clears the gradients.
    void clear_gradients();
    // Call it before the last backward pass of an update: while that pass runs, the gradients accumulated by all passes
    // are summed over the ranks. They are summed, not averaged, so the caller scales the loss accordingly.
    void before_last_backward();
    void after_last_backward();
    // Call it after the optimizer's step. Every rank then has all updated parameters.
    void after_step();

private:
    struct Impl;
    void take_share();

    std::vector<at::Tensor> parameters_, owned_;
    bool sharded_ = false;
    std::unique_ptr<Impl> impl_;
};

}  // namespace longbow
