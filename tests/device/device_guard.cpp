// Implements LibTorch's interface of devices, streams and events. Each device has one stream, in which everything
// happens in order and at once; a wait for it is counted like any other.
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include "devices.h"
#include "waits.h"

namespace pretend {

namespace {

struct Guard final : c10::impl::DeviceGuardImplInterface {
    c10::DeviceType type() const override { return c10::kCUDA; }
    c10::DeviceIndex deviceCount() const noexcept override { return static_cast<c10::DeviceIndex>(device_count()); }
    c10::Device getDevice() const override { return {c10::kCUDA, static_cast<c10::DeviceIndex>(current_device())}; }
    c10::Device exchangeDevice(c10::Device device) const override {
        const auto before = getDevice();
        setDevice(device);
        return before;
    }
    void setDevice(c10::Device device) const override {
        TORCH_CHECK(device.index() >= 0 && device.index() < device_count(), "pretend device: there is no ", device);
        current_device() = device.index();
    }
    void uncheckedSetDevice(c10::Device device) const noexcept override { current_device() = device.index(); }

    c10::Stream getStream(c10::Device device) const override { return c10::Stream(c10::Stream::DEFAULT, device); }
    c10::Stream getDefaultStream(c10::Device device) const override { return getStream(device); }
    c10::Stream getStreamFromGlobalPool(c10::Device device, bool) const override { return getStream(device); }
    c10::Stream getNewStream(c10::Device device, int) const override { return getStream(device); }
    c10::Stream exchangeStream(c10::Stream stream) const override { return stream; }
    void* getStreamNativeHandle(const c10::Stream) const override { return nullptr; }  // CUDA's default stream
    bool queryStream(const c10::Stream&) const override { return true; }
    void synchronizeStream(const c10::Stream&) const override { waited("a stream"); }

    void record(void** event, const c10::Stream&, c10::DeviceIndex, c10::EventFlag) const override {
        static int the_event;
        *event = &the_event;
    }
    void block(void*, const c10::Stream&) const override {}  // one stream waits for itself
    bool queryEvent(void*) const override { return true; }
    void synchronizeEvent(void*) const override { waited("an event"); }
    void synchronizeDevice(c10::DeviceIndex) const override { waited("a device"); }
};

const bool registered = [] {
    c10::impl::device_guard_impl_registry[static_cast<std::size_t>(c10::kCUDA)].store(new Guard);
    return true;
}();

}  // namespace

}  // namespace pretend
