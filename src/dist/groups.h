// Makes c10d's process groups, with one function for each back-end. All differences between NCCL and Gloo are behind
// it.
#pragma once

#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include <chrono>
#include <string>

namespace longbow {

struct GroupRequest {
    c10::intrusive_ptr<c10d::Store> store;
    int rank = 0, world = 1;
    std::chrono::milliseconds timeout{0};
    std::string address;  // of this host, as the other ranks reach it
};

c10::intrusive_ptr<c10d::Backend> make_gloo(const GroupRequest& request);
// Throws Error when this build or LibTorch has no NCCL.
c10::intrusive_ptr<c10d::Backend> make_nccl(const GroupRequest& request);

// Returns what NCCL's own watchdog has found wrong with a collective, or an empty text. Throws if the back-end records
// no errors.
std::string trouble_of(c10d::Backend& backend);

}  // namespace longbow
