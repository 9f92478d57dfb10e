// What the Reducer does with a full bucket of gradients.
#pragma once

#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/comm.hpp>

#include <cstdint>
#include <memory>
#include <vector>

namespace longbow {

struct HookState {
    c10::intrusive_ptr<c10d::ProcessGroup> group;
    at::ScalarType wire = at::ScalarType::Undefined;  // the type in which gradients travel; Undefined: their own
};

// Sums over the ranks (the Reducer's own hook divides by their number).
std::unique_ptr<c10d::CommHookInterface> sum_hook(const HookState& state);
// Sums, of which each rank gets its share of the bucket; the rest of the bucket is left as it was. The sums of a backward pass are in the
// buckets after finish(): Gloo's reduce-scatter gives no future that the Reducer could wait for.
struct Scattering {
    struct Part {
        c10::intrusive_ptr<c10d::Work> work;
        at::Tensor sent, sum, target;
    };
    std::vector<Part> parts;
    void finish();
};
std::unique_ptr<c10d::CommHookInterface> scatter_hook(const HookState& state, const std::shared_ptr<Scattering>& scattering);

// Elements of a bucket a rank: the last ranks may have fewer.
inline std::int64_t share_of(std::int64_t elements, std::int64_t world) { return (elements + world - 1) / world; }

}  // namespace longbow
