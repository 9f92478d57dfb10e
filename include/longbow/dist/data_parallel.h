// Data parallelism: each rank has the whole model and a share of an update's inputs; c10d's Reducer adds the gradients bucket by bucket
// while the backward pass goes on. With dist.shard_optimizer each rank holds and applies the optimizer's state of its part of each bucket
// alone (ZeRO stage 1, Rajbhandari et al. 2020): gradients are reduced and scattered, updated parameters gathered.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "longbow/config/config.h"
#include "longbow/dist/communicator.h"

namespace longbow {

// Elements [begin, end) of a parameter, flat.
struct ParameterPiece {
    std::size_t parameter = 0;  // index
    std::int64_t begin = 0, end = 0;
};

class DataParallel {
public:
    // `parameters`: contiguous leaves, all of which take part in every backward pass. Without ranks nothing is done below.
    DataParallel(Communicator& communicator, const std::vector<at::Tensor>& parameters, const DistConfig& config);
    ~DataParallel();
    DataParallel(const DataParallel&) = delete;
    DataParallel& operator=(const DataParallel&) = delete;

    // What this rank's optimizer updates: the parameters, or flat views of its pieces of them. Their gradients are there after the last
    // backward pass of an update.
    [[nodiscard]] const std::vector<at::Tensor>& owned() const { return owned_; }
    [[nodiscard]] const std::vector<ParameterPiece>& pieces() const { return pieces_; }
    [[nodiscard]] bool sharded() const { return sharded_; }

    // Before the first backward pass of an update: no gradients.
    void clear_gradients();
    // Before the last one: its gradients, and those of the passes before, are summed over the ranks while it runs. The loss must be scaled
    // so that the sum is what is wanted.
    void before_last_backward();
    void after_last_backward();
    // After the optimizer's step: all parameters whole again on every rank.
    void after_step();

private:
    struct Impl;
    void cut_pieces();

    std::vector<at::Tensor> parameters_, owned_;
    std::vector<ParameterPiece> pieces_;
    bool sharded_ = false;
    std::unique_ptr<Impl> impl_;
};

}  // namespace longbow
