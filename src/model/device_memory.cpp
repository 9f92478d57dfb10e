#include "longbow/model/device_memory.h"

#include <c10/core/Device.h>

#include <cstdlib>
#include <fstream>

#include "longbow/core/strings.h"
#ifdef LONGBOW_CUDA
#include <c10/cuda/CUDACachingAllocator.h>
#endif

namespace longbow {

void reset_peak_memory([[maybe_unused]] const std::string& device) {
#ifdef LONGBOW_CUDA
    if (c10::Device(device).is_cuda()) {
        c10::cuda::CUDACachingAllocator::resetPeakStats(c10::Device(device).index());
        return;
    }
#endif
    std::ofstream("/proc/self/clear_refs") << "5";  // resets VmHWM; where that is not allowed the figure holds from the start
}

double peak_memory_mb([[maybe_unused]] const std::string& device) {
#ifdef LONGBOW_CUDA
    if (c10::Device(device).is_cuda()) {
        const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(c10::Device(device).index());
        return static_cast<double>(stats.allocated_bytes[0].peak) / 1e6;
    }
#endif
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (starts_with(line, "VmHWM:")) return std::strtod(line.c_str() + 6, nullptr) * 1024 / 1e6;
    }
    return 0;
}

}  // namespace longbow
