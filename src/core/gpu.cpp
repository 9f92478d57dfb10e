// Describes the GPUs (machine.h) with the CUDA runtime, in builds that have it.
#include <fmt/core.h>

#include "longbow/core/machine.h"

#ifdef LONGBOW_CUDA
#include <dlfcn.h>

#include "cuda/device_query.h"
#include "longbow/core/cuda_failure.h"
#include "longbow/core/error.h"
#include "longbow/core/installation.h"
#else
#include <filesystem>
#endif

namespace longbow {

#ifdef LONGBOW_CUDA

namespace {

std::string version_of(int number) { return fmt::format("{}.{}", number / 1000, number % 1000 / 10); }

std::string in_words(int error) {
    return cuda_failure(error, longbow_cuda_error_name(error), longbow_cuda_error(error));
}

}  // namespace

GpuReport gpu_report() {
    GpuReport report;
    report.built_with_cuda = true;
    int driver = 0;
    int runtime = 0;
    if (longbow_cuda_versions(&driver, &runtime) == 0) {
        if (driver > 0) report.driver = version_of(driver);
        report.runtime = version_of(runtime);
    }
    int count = 0;
    if (const int error = longbow_cuda_device_count(&count)) {
        report.problem = driver == 0 ? "no NVIDIA driver" : in_words(error);
        return report;
    }
    for (int i = 0; i < count; ++i) {
        LongbowCudaDevice device;
        if (const int error = longbow_cuda_device(i, &device)) {
            report.problem = in_words(error);
            return report;
        }
        report.gpus.push_back({device.name, device.major, device.minor, device.memory, device.multiprocessors});
    }
    if (count == 0) report.problem = "no GPU is visible to this process (CUDA_VISIBLE_DEVICES?)";
    return report;
}

bool load_cuda() {
    static const bool loaded = [] {
        if (gpu_report().gpus.empty()) return false;
        if (::dlopen(torch_library("libtorch_cuda.so").c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
            throw Error(std::string("this machine has a GPU, but LibTorch's CUDA part cannot be loaded: ") +
                        ::dlerror() + " (CUDA_VISIBLE_DEVICES= makes Longbow run without)");
        }
        return true;
    }();
    return loaded;
}

std::string gpu_smoke_test(int index) {
    int wrong = 0;
    if (const int error = longbow_cuda_smoke_test(index, &wrong))
        return fmt::format("GPU {}: {}", index, in_words(error));
    if (wrong > 0)
        return fmt::format("GPU {}: a test kernel gave {} wrong numbers; the GPU or its driver is faulty", index,
                           wrong);
    return {};
}

#else

GpuReport gpu_report() {
    GpuReport report;
    std::error_code none;
    report.problem = std::filesystem::exists("/proc/driver/nvidia/version", none)
                         ? "this build has no CUDA, though the machine has an NVIDIA driver"
                         : "this build has no CUDA";
    return report;
}

bool load_cuda() { return false; }

std::string gpu_smoke_test(int index) { return fmt::format("GPU {}: this build has no CUDA", index); }

#endif

}  // namespace longbow
