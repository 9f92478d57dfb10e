// What the Reducer does with a full bucket of gradients.
#pragma once

#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/comm.hpp>

#include <cstdint>
#include <memory>

namespace longbow {

struct HookState {
    c10::intrusive_ptr<c10d::ProcessGroup> group;
    at::ScalarType wire = at::ScalarType::Undefined;  // the type in which gradients travel; Undefined: their own
};

// Sums over the ranks (the Reducer's own hook divides by their number).
std::unique_ptr<c10d::CommHookInterface> sum_hook(const HookState& state);
// Sums, of which each rank gets its share of the bucket; the rest of the bucket is left as it was.
std::unique_ptr<c10d::CommHookInterface> scatter_hook(const HookState& state);

// Elements of a bucket a rank: the last ranks may have fewer.
inline std::int64_t share_of(std::int64_t elements, std::int64_t world) { return (elements + world - 1) / world; }

}  // namespace longbow
