// Process groups of c10d, one function a back-end: all that differs between NCCL and Gloo is here.
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
    std::string address;  // of this host, as the others reach it
};

c10::intrusive_ptr<c10d::Backend> make_gloo(const GroupRequest& request);
// Throws Error when this build or LibTorch has no NCCL.
c10::intrusive_ptr<c10d::Backend> make_nccl(const GroupRequest& request);

}  // namespace longbow
