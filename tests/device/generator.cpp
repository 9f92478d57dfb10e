#include "generator.h"

#include <ATen/CPUGeneratorImpl.h>

#include <vector>

#include "devices.h"

namespace pretend {

namespace {

struct DeviceGenerator final : c10::GeneratorImpl {
    DeviceGenerator(c10::DeviceIndex index, at::Generator own_engine)
        : GeneratorImpl(c10::Device(c10::kCUDA, index), c10::DispatchKeySet(c10::DispatchKey::CUDA)),
          engine(std::move(own_engine)) {}
    void set_current_seed(std::uint64_t seed) override { engine.set_current_seed(seed); }
    std::uint64_t current_seed() const override { return engine.current_seed(); }
    std::uint64_t seed() override { return engine.seed(); }
    void set_offset(std::uint64_t) override { TORCH_CHECK(false, "pretend device: its generator has no offset"); }
    std::uint64_t get_offset() const override { TORCH_CHECK(false, "pretend device: its generator has no offset"); }
    void set_state(const c10::TensorImpl& state) override { engine.unsafeGetGeneratorImpl()->set_state(state); }
    c10::intrusive_ptr<c10::TensorImpl> get_state() const override {
        return engine.unsafeGetGeneratorImpl()->get_state();
    }
    DeviceGenerator* clone_impl() const override { return new DeviceGenerator(device_.index(), engine.clone()); }

    at::Generator engine;
};

}  // namespace

const at::Generator& default_generator(c10::DeviceIndex index) {
    static auto* const all = [] {
        auto* const list = new std::vector<at::Generator>;
        for (int i = 0; i < device_count(); ++i) list->push_back(new_generator(static_cast<c10::DeviceIndex>(i)));
        return list;
    }();
    return all->at(static_cast<std::size_t>(index < 0 ? current_device() : index));
}

at::Generator new_generator(c10::DeviceIndex index) {
    return at::make_generator<DeviceGenerator>(index, at::detail::createCPUGenerator());
}

at::Generator engine_of(const at::Generator& generator) {
    return static_cast<DeviceGenerator*>(generator.unsafeGetGeneratorImpl())->engine;
}

DrawsFromDevice::DrawsFromDevice(c10::DeviceIndex index)
    : device_(engine_of(default_generator(index))),
      host_(at::detail::getDefaultCPUGenerator()),
      host_state_(host_.unsafeGetGeneratorImpl()->get_state()) {
    host_.unsafeGetGeneratorImpl()->set_state(*device_.unsafeGetGeneratorImpl()->get_state());
}

DrawsFromDevice::~DrawsFromDevice() {
    device_.unsafeGetGeneratorImpl()->set_state(*host_.unsafeGetGeneratorImpl()->get_state());
    host_.unsafeGetGeneratorImpl()->set_state(*host_state_);
}

}  // namespace pretend
