// Answers what LibTorch asks of its CUDA part: how many devices there are, their generators, pinned memory.
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/cuda/CUDACachingAllocator.h>

#include "devices.h"
#include "generator.h"
#include "pinned_memory.h"
#include "waits.h"

namespace pretend {

namespace {

class PinnedAllocator final : public c10::Allocator {
public:
    c10::DataPtr allocate(std::size_t bytes) override {
        void* const data = bytes == 0 ? nullptr : PinnedMemory::instance().allocate(bytes);
        return {data, data, &release, c10::Device(c10::kCPU)};
    }
    c10::DeleterFnPtr raw_deleter() const override { return &release; }
    void copy_data(void* to, const void* from, std::size_t bytes) const override { default_copy_data(to, from, bytes); }

private:
    static void release(void* data) {
        if (data != nullptr) PinnedMemory::instance().release(data);
    }
};

}  // namespace

}  // namespace pretend

namespace at {

// LibTorch looks the hooks up by exactly this name.
struct CUDAHooks final : CUDAHooksInterface {
    explicit CUDAHooks(CUDAHooksArgs) {}
    void init() const override {}
    bool hasCUDA() const override { return true; }
    bool isBuilt() const override { return true; }
    bool isAvailable() const override { return true; }
    bool hasPrimaryContext(DeviceIndex) const override { return true; }
    int getNumGPUs() const override { return pretend::device_count(); }
    DeviceIndex deviceCount() const override { return static_cast<DeviceIndex>(pretend::device_count()); }
    DeviceIndex current_device() const override { return getCurrentDevice(); }
    DeviceIndex getCurrentDevice() const override { return static_cast<DeviceIndex>(pretend::current_device()); }
    const Generator& getDefaultGenerator(DeviceIndex index) const override { return pretend::default_generator(index); }
    Generator getNewGenerator(DeviceIndex index) const override { return pretend::new_generator(index); }
    bool isPinnedPtr(const void* data) const override { return pretend::PinnedMemory::instance().holds(data); }
    Allocator* getPinnedMemoryAllocator() const override {
        static auto* const allocator = new pretend::PinnedAllocator;
        return allocator;
    }
    Allocator* getCUDADeviceAllocator() const override { return c10::cuda::CUDACachingAllocator::get(); }
    void deviceSynchronize(DeviceIndex) const override { pretend::waited("a device"); }
};
REGISTER_CUDA_HOOKS(CUDAHooks);

}  // namespace at
