// Defines the communication hooks of c10d's Reducer: what it does with a full bucket of gradients.
#pragma once

#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/comm.hpp>

#include <cstdint>
#include <memory>
#include <vector>

namespace longbow {

struct HookState {
    c10::intrusive_ptr<c10d::ProcessGroup> group;
    at::ScalarType wire = at::ScalarType::Undefined;  // the type in which gradients are sent; Undefined: their own
};

// Makes a hook that sums over the ranks (the Reducer's default hook divides by their number).
std::unique_ptr<c10d::CommHookInterface> sum_hook(const HookState& state);
// Makes a hook that reduce-scatters: each rank gets the sums of its share of the bucket, and the rest of its bucket
// keeps the rank's own gradients. The sums of a backward pass are in the buckets only after finish(), since Gloo's
// reduce-scatter gives no future for which the Reducer could wait.
struct Scattering {
    struct Part {
        c10::intrusive_ptr<c10d::Work> work;
        at::Tensor sent, sum, target;
    };
    std::vector<Part> parts;
    void finish();
};
std::unique_ptr<c10d::CommHookInterface> scatter_hook(const HookState& state,
                                                      const std::shared_ptr<Scattering>& scattering);

// Returns how many elements of a bucket each rank gets; the last ranks may get fewer.
inline std::int64_t share_of(std::int64_t elements, std::int64_t world) { return (elements + world - 1) / world; }

}  // namespace longbow
