// Implements the back-end over our own operator (fused_attention.h): no matrix of scores or biases in memory and, with
// slopes, far blocks that the bias has made negligible are skipped.
#include <ATen/autocast_mode.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "backends.h"
#include "longbow/attention/dropout_seed.h"
#include "longbow/attention/fused_attention.h"
#include "longbow/core/machine.h"

namespace longbow {

namespace {

// Returns why the CUDA kernels cannot run on this device, or an empty string.
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

std::string refuses(const AttentionRequest& request) {
    if (request.dtype == DType::fp64) {
        return "the arithmetic is fp64, and the fused kernels compute in fp32";
    }
    if (auto refusal = refuses_attend(request); !refusal.empty()) return refusal;
    constexpr BiasParts kServed = {BiasPart::slopes, BiasPart::table};
    if (const auto other = request.bias.without(kServed); !other.empty())
        return "the position method's bias has parts that the fused kernels do not add: " + other.text();
    if (request.sums) return "the position method's bias has both slopes and a table, and the fused kernels add one";
    if (request.far) return "far keys have scores of their own, and the fused kernels compute one for each pair";
    if (request.score_dim != 0 && request.score_dim != request.head_dim)
        return "queries and keys are wider than values, and the fused kernels take them of one size";
    if (auto refusal = gpu_refuses(request.device); !refusal.empty()) {
        return refusal;
    }
    return request.head_dim == 0 ? std::string() : fused_attention_refuses(request.device, request.head_dim);
}

class FusedAttention final : public AttentionBackend {
public:
    explicit FusedAttention(const AttentionRequest& request)
        : skip_threshold_(request.skip_threshold),
          skips_(request.bias == BiasParts{BiasPart::slopes} && !std::isinf(request.skip_threshold)) {}

    at::Tensor forward(const AttentionInput& in) override {
        const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
        FusedAttentionCall call{.q = in.q,
                                .k = in.k,
                                .v = in.v,
                                .window = in.bias.window,
                                .dropout = in.dropout,
                                .scale = in.scale,
                                .skip_threshold = skip_threshold_};
        if (in.bias.slopes.defined()) call.slopes = in.bias.slopes;
        if (in.bias.table.defined()) call.table = in.bias.table;
        if (in.dropout > 0.0) call.dropout_seed = draw_dropout_seed();
        if (measuring_ && skips_) {
            const auto [out, lse, visited] = fused_attention_visited(call);
            visited_ += visited.mean().item<double>();
            ++measured_calls_;
            if (!at::GradMode::is_enabled()) {
                return out;
            }
        }
        return std::get<0>(fused_attention(call));
    }

    [[nodiscard]] AttentionMemory memory(const AttentionRequest& request, const AttentionPass& pass) const override {
        const AttentionSizes sizes(request, pass);
        AttentionMemory memory;
        memory.kept = sizes.rows * sizeof(float);
        memory.backward = sizes.qkv * narrow_bytes(pass);
        if (!on_gpu(request))
            memory.backward += static_cast<double>(
                fused_attention_workspace(pass.type, pass.batch, pass.heads, kv_heads_of(pass), pass.length,
                                          request.head_dim, pass.table_length, pass.threads));
        return memory;
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
        return measured_calls_ == 0 ? std::nullopt
                                    : std::optional<double>(visited_ / static_cast<double>(measured_calls_));
    }

private:
    double skip_threshold_;
    bool skips_;
    bool measuring_ = false;
    double visited_ = 0.0;
    std::int64_t measured_calls_ = 0;
};

}  // namespace

// The kernels for GPUs have been tested on the host only (tests/emulator). There they run if named, and `auto` does not
// choose them.
LONGBOW_REGISTER_ATTENTION(
    {.name = "fused",
     .help = "Longbow's own operator: no matrix of scores, and far blocks that the bias makes negligible are left out. "
             "Serves fp32, bf16 and fp16, head sizes that are multiples of 8 up to 256, CPUs, and GPUs of compute "
             "capability 8.0 and up, where auto passes it by",
     .preference = 2,
     .reads = {"skip_threshold"},
     .refuses = refuses,
     .chosen_by_auto = [](const AttentionRequest& request) { return !on_gpu(request); },
     .make = [](const AttentionRequest& request) { return std::make_unique<FusedAttention>(request); }});

}  // namespace longbow
