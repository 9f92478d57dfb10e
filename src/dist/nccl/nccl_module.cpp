#include "nccl_module.h"

#include <cstdlib>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

namespace {

// ProcessGroupNCCL reads these from the environment alone. A minute after a collective has failed or timed out, its
// defaults end the process by SIGABRT, without a word of the run. With these values its watchdog thread only records
// the failure, which Longbow's watchdog asks for (Backend::getError) and reports with the state of each rank. A value
// that the user has set is kept.
struct Setting {
    const char *name, *value;
};
constexpr Setting kErrorSettings[] = {
    // 0 is c10d::NoHandling.
    {"TORCH_NCCL_ASYNC_ERROR_HANDLING", "0"},
    // A fault of the GPU reaches the main thread at its next call.
    {"TORCH_NCCL_RETHROW_CUDA_ERRORS", "0"},
    // A second thread would end the process if the watchdog thread stood still.
    {"TORCH_NCCL_ENABLE_MONITORING", "0"},
    // Without the records that would be written to /tmp, the watchdog thread need not sleep until they are.
    {"TORCH_NCCL_DUMP_ON_TIMEOUT", "0"},
    {"TORCH_NCCL_WAIT_TIMEOUT_DUMP_MILSEC", "0"},
};
static_assert(c10d::NoHandling == 0);

}  // namespace

extern "C" __attribute__((visibility("default"))) c10::intrusive_ptr<c10d::Backend> longbow_make_nccl_group(
    const longbow::GroupRequest& request) {
    for (const auto& setting : kErrorSettings) ::setenv(setting.name, setting.value, /*replace=*/0);
    auto options = c10d::ProcessGroupNCCL::Options::create();
    options->timeout = request.timeout;
    return c10::make_intrusive<c10d::ProcessGroupNCCL>(request.store, request.rank, request.world, options);
}
