#include "gradient_hooks.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <vector>

namespace longbow {

namespace {

using FuturePtr = c10::intrusive_ptr<c10::ivalue::Future>;

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

class ScatterHook final : public c10d::CppCommHookInterface<HookState> {
public:
    using CppCommHookInterface::CppCommHookInterface;
    FuturePtr runHook(c10d::GradBucket& bucket) override {
        const auto buffer = bucket.getBuffer();
        const auto wire = state_.wire == at::ScalarType::Undefined ? buffer.scalar_type() : state_.wire;
        const auto size = buffer.numel();
        const auto share = share_of(size, state_.group->getSize());
        auto sent = buffer;
        if (share * state_.group->getSize() != size || wire != buffer.scalar_type()) {
            sent = at::empty({share * state_.group->getSize()}, buffer.options().dtype(wire));
            sent.narrow(0, 0, size).copy_(buffer);
            sent.narrow(0, size, sent.numel() - size).zero_();
        }
        auto mine = at::empty({share}, sent.options());
        const auto first = std::min(state_.group->getRank() * share, size);
        auto future = state_.group->_reduce_scatter_base(mine, sent)->getFuture();
        return future->then(
            [buffer, mine, sent, first, last = std::min(first + share, size)](c10::ivalue::Future& done) {
                if (done.hasError()) std::rethrow_exception(done.exception_ptr());
                const at::NoGradGuard no_grad;
                buffer.narrow(0, first, last - first).copy_(mine.narrow(0, 0, last - first));
                return c10::IValue(buffer);
            },
            c10::TensorType::get());
    }
};

}  // namespace

std::unique_ptr<c10d::CommHookInterface> sum_hook(const HookState& state) { return std::make_unique<SumHook>(state); }
std::unique_ptr<c10d::CommHookInterface> scatter_hook(const HookState& state) { return std::make_unique<ScatterHook>(state); }

}  // namespace longbow
