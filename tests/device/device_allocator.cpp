// Puts the pretend device's memory behind LibTorch's interface of CUDA allocators, and makes it the allocator of CUDA
// tensors. What PyTorch's own allocator does beside allocating (pools for graphs, sharing between processes, recorded
// history) is refused, since Longbow does none of it.
#include <c10/core/Allocator.h>
#include <c10/cuda/CUDACachingAllocator.h>

#include <cstring>

#include "device_memory.h"
#include "devices.h"

namespace pretend {

namespace {

namespace cuda = c10::cuda::CUDACachingAllocator;

[[noreturn]] void refuse(const char* what) { TORCH_CHECK(false, "pretend device: its allocator has no ", what); }

class DeviceAllocator final : public cuda::CUDAAllocator {
public:
    c10::DataPtr allocate(std::size_t bytes) override {
        const c10::Device device(c10::kCUDA, static_cast<c10::DeviceIndex>(current_device()));
        if (bytes == 0) return {nullptr, nullptr, &release, device};
        void* const data = raw_alloc(bytes);
        return {data, data, &release, device};
    }
    c10::DeleterFnPtr raw_deleter() const override { return &release; }
    void copy_data(void* to, const void* from, std::size_t bytes) const override {
        std::memcpy(DeviceMemory::instance().twin(to), DeviceMemory::instance().twin(from), bytes);
    }
    void* raw_alloc(std::size_t bytes) override {
        void* const data = DeviceMemory::instance().allocate(bytes);
        TORCH_CHECK_WITH(OutOfMemoryError, data != nullptr, "pretend device: out of memory");
        return data;
    }
    void* raw_alloc_with_stream(std::size_t bytes, cudaStream_t) override { return raw_alloc(bytes); }
    void raw_delete(void* data) override { release(data); }

    void init(int) override {}
    bool initialized() override { return true; }
    void enable(bool) override {}
    bool isEnabled() const override { return true; }
    double getMemoryFraction(c10::DeviceIndex) override { return 1.0; }
    void setMemoryFraction(double, c10::DeviceIndex) override { refuse("memory fraction"); }
    // Memory is released at once, and all work is in order.
    void emptyCache(c10::MempoolId_t) override {}
    void recordStream(const c10::DataPtr&, c10::cuda::CUDAStream) override {}
    std::string name() override { return "pretend"; }

    c10::CachingDeviceAllocator::DeviceStats getDeviceStats(c10::DeviceIndex) override {
        const auto use = DeviceMemory::instance().use();
        c10::CachingDeviceAllocator::DeviceStats stats;
        stats.allocated_bytes[0].current = use.now;
        stats.allocated_bytes[0].peak = use.peak;
        return stats;
    }
    void resetAccumulatedStats(c10::DeviceIndex) override {}
    void resetPeakStats(c10::DeviceIndex) override { DeviceMemory::instance().forget_peak(); }

    std::vector<cuda::StreamSegmentSize> getExpandableSegmentSizes(c10::DeviceIndex) override { return {}; }
    void cacheInfo(c10::DeviceIndex, std::size_t*) override { refuse("cache"); }
    void* getBaseAllocation(void*, std::size_t*) override { refuse("base allocation"); }
    cuda::SnapshotInfo snapshot(c10::MempoolId_t, bool) override { refuse("snapshot"); }
    void beginAllocateToPool(c10::DeviceIndex, c10::MempoolId_t, std::function<bool(cudaStream_t)>) override {
        refuse("pool");
    }
    void endAllocateToPool(c10::DeviceIndex, c10::MempoolId_t) override { refuse("pool"); }
    void releasePool(c10::DeviceIndex, c10::MempoolId_t) override { refuse("pool"); }
    cuda::ShareableHandle shareIpcHandle(void*) override { refuse("shared memory"); }
    std::shared_ptr<void> getIpcDevPtr(std::string) override { refuse("shared memory"); }
    void recordHistory(bool, cuda::CreateContextFn, std::size_t, cuda::RecordContext, bool,
                       const std::vector<std::string>&) override {
        refuse("history");
    }
    void attachOutOfMemoryObserver(cuda::OutOfMemoryObserver) override { refuse("observer"); }
    void attachAllocatorTraceTracker(cuda::AllocatorTraceTracker) override { refuse("observer"); }
    void enablePeerAccess(c10::DeviceIndex, c10::DeviceIndex) override { refuse("peer access"); }
    cudaError_t memcpyAsync(void*, int, const void*, int, std::size_t, cudaStream_t, bool) override {
        refuse("copies between devices");
    }
    std::shared_ptr<cuda::AllocatorState> getCheckpointState(c10::DeviceIndex, c10::MempoolId_t) override {
        refuse("checkpoints");
    }
    cuda::CheckpointDelta setCheckpointPoolState(c10::DeviceIndex, std::shared_ptr<cuda::AllocatorState>) override {
        refuse("checkpoints");
    }

private:
    static void release(void* data) {
        if (data != nullptr) DeviceMemory::instance().release(data);
    }
};

const bool registered = [] {
    static auto* const allocator = new DeviceAllocator;
    cuda::allocator.store(allocator);
    constexpr std::uint8_t kPriority = 255;  // above any other
    c10::SetAllocator(c10::kCUDA, allocator, kPriority);
    return true;
}();

}  // namespace

}  // namespace pretend
