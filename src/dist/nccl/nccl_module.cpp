#include "nccl_module.h"

#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

// ProcessGroupNCCL's own watchdog makes wait() throw the errors of a collective, and aborts a communicator whose peer
// is gone after the timeout.
extern "C" __attribute__((visibility("default"))) c10::intrusive_ptr<c10d::Backend> longbow_make_nccl_group(
    const longbow::GroupRequest& request) {
    auto options = c10d::ProcessGroupNCCL::Options::create();
    options->timeout = request.timeout;
    return c10::make_intrusive<c10d::ProcessGroupNCCL>(request.store, request.rank, request.world, options);
}
