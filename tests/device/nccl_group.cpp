// Stands in for NCCL's process group: collectives of pretend device tensors by Gloo, on their readable twins. Longbow's
// own liblongbow_nccl.so makes a c10d::ProcessGroupNCCL and uses it as a c10d::Backend. Its constructor is defined here
// and constructs a backend of ours in the memory meant for it.
#define USE_C10D_GLOO
#include <new>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

#include "tensors.h"

namespace pretend {

namespace {

std::vector<at::Tensor> twins(const std::vector<at::Tensor>& tensors) {
    std::vector<at::Tensor> all;
    for (const auto& t : tensors) {
        TORCH_CHECK(t.is_cuda(), "pretend NCCL: a tensor is on ", t.device());
        all.push_back(twin(t));
    }
    return all;
}

// Is done when it is returned. As NCCL's, its wait() does not make the host wait.
class Done final : public c10d::Work {
public:
    explicit Done(std::vector<at::Tensor> results) : results_(std::move(results)) {
        std::vector<c10::Device> devices;
        for (const auto& t : results_) devices.push_back(t.device());
        future_ = c10::make_intrusive<c10::ivalue::Future>(c10::ListType::create(c10::TensorType::get()), devices);
        future_->markCompleted(c10::IValue(results_));
    }
    bool isCompleted() override { return true; }
    bool isSuccess() const override { return true; }
    bool wait(std::chrono::milliseconds) override { return true; }
    c10::intrusive_ptr<c10::ivalue::Future> getFuture() override { return future_; }
    std::vector<at::Tensor> result() override { return results_; }

private:
    std::vector<at::Tensor> results_;
    c10::intrusive_ptr<c10::ivalue::Future> future_;
};

class Group final : public c10d::Backend {
public:
    Group(const c10::intrusive_ptr<c10d::Store>& store, int rank, int size, std::chrono::milliseconds timeout)
        : Backend(rank, size) {
        auto options = c10d::ProcessGroupGloo::Options::create(timeout);
        options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1"));
        gloo_ = c10::make_intrusive<c10d::ProcessGroupGloo>(store, rank, size, options);
    }
    const std::string getBackendName() const override { return "nccl"; }
    void setTimeout(std::chrono::milliseconds timeout) override { gloo_->setTimeout(timeout); }
    // A failed collective throws here, where NCCL's is told by this function later.
    c10d::ErrorType getError() override { return c10d::ErrorType::SUCCESS; }

    c10::intrusive_ptr<c10d::Work> broadcast(std::vector<at::Tensor>& tensors,
                                             const c10d::BroadcastOptions& options) override {
        auto host = twins(tensors);
        return finish(*gloo_->broadcast(host, options), tensors);
    }
    c10::intrusive_ptr<c10d::Work> allreduce(std::vector<at::Tensor>& tensors,
                                             const c10d::AllreduceOptions& options) override {
        auto host = twins(tensors);
        return finish(*gloo_->allreduce(host, options), tensors);
    }
    c10::intrusive_ptr<c10d::Work> _allgather_base(at::Tensor& to, at::Tensor& from,
                                                   const c10d::AllgatherOptions& options) override {
        auto host = twins({to, from});
        return finish(*gloo_->_allgather_base(host[0], host[1], options), {to});
    }
    c10::intrusive_ptr<c10d::Work> _reduce_scatter_base(at::Tensor& to, at::Tensor& from,
                                                        const c10d::ReduceScatterOptions& options) override {
        auto host = twins({to, from});
        return finish(*gloo_->_reduce_scatter_base(host[0], host[1], options), {to});
    }

private:
    static c10::intrusive_ptr<c10d::Work> finish(c10d::Work& work, const std::vector<at::Tensor>& results) {
        work.wait();
        return c10::make_intrusive<Done>(results);
    }
    c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo_;
};

using Options = c10d::ProcessGroupNCCL::Options;

// The constructor by its name for the linker, with the signature that the ABI gives it: objects with a destructor are
// passed by address.
extern "C" __attribute__((visibility("default"))) void
construct_group(void* place, c10::intrusive_ptr<c10d::Store>& store, int rank, int size, c10::intrusive_ptr<Options>& options) __asm__(
    "_ZN4c10d16ProcessGroupNCCLC1E"
    "N3c1013intrusive_ptrINS_5StoreENS1_6detail34intrusive_target_default_null_typeIS3_EEEE"
    "iiNS2_INS0_7OptionsENS5_IS8_EEEE");

void construct_group(void* place, c10::intrusive_ptr<c10d::Store>& store, int rank, int size,
                     c10::intrusive_ptr<Options>& options) {
    static_assert(sizeof(Group) <= sizeof(c10d::ProcessGroupNCCL) && alignof(Group) <= alignof(c10d::ProcessGroupNCCL));
    new (place) Group(store, rank, size, options->timeout);
}

}  // namespace

}  // namespace pretend

namespace c10d {

ProcessGroupNCCL::Options::Options(bool high_priority)
    : Backend::Options("nccl"), is_high_priority_stream(high_priority) {}

}  // namespace c10d
