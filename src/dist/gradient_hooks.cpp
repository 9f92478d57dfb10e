#include "gradient_hooks.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace longbow {

namespace {

using FuturePtr = c10::intrusive_ptr<c10::ivalue::Future>;

// Sums a bucket over the ranks. A bucket that travels in a narrower type is converted before and after the all-reduce.
class SumHook final : public c10d::CppCommHookInterface<HookState> {
public:
    using CppCommHookInterface::CppCommHookInterface;
    FuturePtr runHook(c10d::GradBucket& bucket) override {
        const auto buffer = bucket.getBuffer();
        const bool narrow = state_.wire != at::ScalarType::Undefined && state_.wire != buffer.scalar_type();
        std::vector<at::Tensor> tensors{narrow ? buffer.to(state_.wire) : buffer};
        auto future = state_.group->allreduce(tensors)->getFuture();
        if (!narrow) return future;
        return future->then(
            [buffer](c10::ivalue::Future& done) {
                const at::NoGradGuard no_grad;
                buffer.copy_(c10d::detail::parseCppCommHookResult(done.value()));
                return c10::IValue(buffer);
            },
            c10::TensorType::get());
    }
};

// Starts a reduce-scatter of a bucket and hands the bucket back at once; Scattering::finish() waits for the sums. The
// bucket is padded with zeros to a multiple of the number of ranks.
class ScatterHook final : public c10d::CppCommHookInterface<HookState> {
public:
    ScatterHook(const HookState& state, std::shared_ptr<Scattering> scattering)
        : CppCommHookInterface(state), scattering_(std::move(scattering)) {}
    FuturePtr runHook(c10d::GradBucket& bucket) override {
        const auto buffer = bucket.getBuffer();
        const auto wire = state_.wire == at::ScalarType::Undefined ? buffer.scalar_type() : state_.wire;
        const auto world = state_.group->getSize();
        const auto size = buffer.numel(), share = share_of(size, world);
        auto sent = buffer;
        if (share * world != size || wire != buffer.scalar_type()) {
            sent = at::empty({share * world}, buffer.options().dtype(wire));
            sent.narrow(0, 0, size).copy_(buffer);
            sent.narrow(0, size, sent.numel() - size).zero_();
        }
        auto sum = at::empty({share}, sent.options());
        const auto first = std::min(state_.group->getRank() * share, size), last = std::min(first + share, size);
        auto work = state_.group->_reduce_scatter_base(sum, sent);
        scattering_->parts.push_back(
            {std::move(work), sent, sum.narrow(0, 0, last - first), buffer.narrow(0, first, last - first)});
        auto future = c10::make_intrusive<c10::ivalue::Future>(c10::TensorType::get(), devices_of(buffer));
        future->markCompleted(c10::IValue(buffer));
        return future;
    }

private:
    static std::vector<c10::Device> devices_of(const at::Tensor& tensor) {
        return tensor.is_cpu() ? std::vector<c10::Device>{} : std::vector<c10::Device>{tensor.device()};
    }
    std::shared_ptr<Scattering> scattering_;
};

}  // namespace

void Scattering::finish() {
    const at::NoGradGuard no_grad;
    for (auto& part : parts) {
        part.work->wait();
        part.target.copy_(part.sum);
    }
    parts.clear();
}

std::unique_ptr<c10d::CommHookInterface> sum_hook(const HookState& state) { return std::make_unique<SumHook>(state); }

std::unique_ptr<c10d::CommHookInterface> scatter_hook(const HookState& state,
                                                      const std::shared_ptr<Scattering>& scattering) {
    return std::make_unique<ScatterHook>(state, scattering);
}

}  // namespace longbow
