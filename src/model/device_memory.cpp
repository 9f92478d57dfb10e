#include "longbow/model/device_memory.h"

#include <c10/core/CPUAllocator.h>
#include <c10/core/Device.h>

#include <atomic>
#include <cstring>
#include <mutex>
#ifdef LONGBOW_CUDA
#include <c10/cuda/CUDACachingAllocator.h>
#endif

namespace longbow {

namespace {

std::atomic<std::int64_t> bytes_now{0}, bytes_peak{0};

void count(std::int64_t bytes) {
    const auto now = bytes_now.fetch_add(bytes, std::memory_order_relaxed) + bytes;
    auto peak = bytes_peak.load(std::memory_order_relaxed);
    while (now > peak && !bytes_peak.compare_exchange_weak(peak, now, std::memory_order_relaxed)) {
    }
}

// Wraps LibTorch's CPU allocator and stores each block's size in front of the block, since a deleter gets only the
// address. The prefix is as long as the alignment of tensors (64 bytes), so that they keep it.
class CountingAllocator final : public c10::Allocator {
public:
    explicit CountingAllocator(c10::Allocator& inner) : free_(inner.raw_deleter()), inner_(inner) { instance_ = this; }

    c10::DataPtr allocate(std::size_t bytes) override {
        if (bytes == 0) return {nullptr, nullptr, &release, c10::Device(c10::kCPU)};
        auto* front = static_cast<char*>(inner_.raw_allocate(bytes + kFront));
        std::memcpy(front, &bytes, sizeof bytes);
        count(static_cast<std::int64_t>(bytes));
        char* data = front + kFront;
        return {data, data, &release, c10::Device(c10::kCPU)};
    }
    [[nodiscard]] c10::DeleterFnPtr raw_deleter() const override { return &release; }
    void copy_data(void* to, const void* from, std::size_t bytes) const override { default_copy_data(to, from, bytes); }

private:
    static constexpr std::size_t kFront = 64;

    static void release(void* data) {
        if (data == nullptr) return;
        char* front = static_cast<char*>(data) - kFront;
        std::size_t bytes = 0;
        std::memcpy(&bytes, front, sizeof bytes);
        bytes_now.fetch_sub(static_cast<std::int64_t>(bytes), std::memory_order_relaxed);
        instance_->free_(front);
    }

    static inline CountingAllocator* instance_ = nullptr;
    c10::DeleterFnPtr free_;
    c10::Allocator& inner_;
};

}  // namespace

void count_cpu_memory() {
    static std::once_flag once;
    std::call_once(once, [] {
        // Never destroyed: tensors of static objects are freed after everything else.
        auto* allocator = new CountingAllocator(*c10::GetCPUAllocator());
        c10::SetCPUAllocator(allocator);
    });
}

TensorBytes tensor_bytes([[maybe_unused]] const std::string& device) {
#ifdef LONGBOW_CUDA
    if (c10::Device(device).is_cuda()) {
        const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(c10::Device(device).index());
        return {stats.allocated_bytes[0].current, stats.allocated_bytes[0].peak};
    }
#endif
    return {bytes_now.load(std::memory_order_relaxed), bytes_peak.load(std::memory_order_relaxed)};
}

void reset_peak_memory([[maybe_unused]] const std::string& device) {
#ifdef LONGBOW_CUDA
    if (c10::Device(device).is_cuda()) {
        c10::cuda::CUDACachingAllocator::resetPeakStats(c10::Device(device).index());
        return;
    }
#endif
    bytes_peak.store(bytes_now.load(std::memory_order_relaxed), std::memory_order_relaxed);
}

double peak_memory_mb(const std::string& device) { return static_cast<double>(tensor_bytes(device).peak) / 1e6; }

}  // namespace longbow
