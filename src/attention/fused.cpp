// Our own operator (fused_attention.h): no matrix of scores or biases in memory, and with slopes, far blocks that the bias has made
// negligible are skipped.
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <mutex>

#include "backends.h"
#include "longbow/attention/fused_attention.h"
#include "longbow/core/machine.h"

namespace longbow {

namespace {

// From the default CPU generator, which the trainer seeds from (seed, update, micro-batch, rank): the mask is a function of it.
std::int64_t draw_seed() {
    auto generator = at::detail::getDefaultCPUGenerator();
    const std::lock_guard lock(generator.mutex());
    return static_cast<std::int64_t>(at::check_generator<at::CPUGeneratorImpl>(generator)->random64());
}

// Empty when the CUDA kernels run on this device.
std::string gpu_refuses(const std::string& device) {
    if (device.rfind("cuda", 0) != 0) {
        return {};
    }
    constexpr int kLeastMajor = 8;
    const std::size_t index = device.size() > 5 ? std::stoul(device.substr(5)) : 0;
    const auto gpus = gpu_report().gpus;
    if (index < gpus.size() && gpus[index].major < kLeastMajor) {
        return "the fused kernels need compute capability 8.0 or later, and " + gpus[index].name + " has " +
               std::to_string(gpus[index].major) + "." + std::to_string(gpus[index].minor);
    }
    return {};
}

class FusedAttention final : public AttentionBackend {
public:
    explicit FusedAttention(const AttentionRequest& request)
        : skip_threshold_(request.skip_threshold), skips_(request.bias == BiasSpec::Kind::slopes && !std::isinf(request.skip_threshold)) {}
    [[nodiscard]] std::string name() const override { return "fused"; }

    [[nodiscard]] std::string refuses(const AttentionRequest& request) const override {
        if (request.dtype == DType::fp64) {
            return "the arithmetic is fp64, and the fused kernels compute in fp32";
        }
        if (auto refusal = gpu_refuses(request.device); !refusal.empty()) {
            return refusal;
        }
        return request.head_dim == 0 ? std::string() : fused_attention_refuses(request.device, request.head_dim);
    }

    at::Tensor forward(const AttentionInput& in) override {
        const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
        FusedAttentionOptions options;
        options.dropout = in.dropout;
        options.skip_threshold = skip_threshold_;
        if (in.dropout > 0.0) {
            options.dropout_seed = draw_seed();
        }
        const auto of_kind = [&](BiasSpec::Kind kind, const at::Tensor& t) {
            return in.bias.kind == kind ? std::optional<at::Tensor>(t) : std::nullopt;
        };
        if (measuring_ && skips_) {
            const auto [out, lse, visited] = fused_attention_visited(in.q, in.k, in.v, in.bias.slopes, std::nullopt, std::nullopt, options);
            visited_ += visited.mean().item<double>();
            ++measured_calls_;
            if (!at::GradMode::is_enabled()) {
                return out;
            }
        }
        return std::get<0>(fused_attention(in.q, in.k, in.v, of_kind(BiasSpec::Kind::slopes, in.bias.slopes),
                                           of_kind(BiasSpec::Kind::table, in.bias.table), std::nullopt, options));
    }

    [[nodiscard]] bool skips() const override { return skips_; }

    void measure_visited(bool on) override {
        measuring_ = on;
        if (on) {
            visited_ = 0.0;
            measured_calls_ = 0;
        }
    }

    [[nodiscard]] std::optional<double> visited() const override {
        return measured_calls_ == 0 ? std::nullopt : std::optional<double>(visited_ / static_cast<double>(measured_calls_));
    }

private:
    double skip_threshold_;
    bool skips_;
    bool measuring_ = false;
    double visited_ = 0.0;
    std::int64_t measured_calls_ = 0;
};

}  // namespace

std::unique_ptr<AttentionBackend> make_fused_attention(const AttentionRequest& request) {
    return std::make_unique<FusedAttention>(request);
}

}  // namespace longbow
