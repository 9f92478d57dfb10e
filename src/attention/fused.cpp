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

// Returns why the kernels do not add up the parts of this bias, or an empty string.
std::string bias_refuses(const AttentionRequest& request) {
    constexpr BiasParts kServed = {BiasPart::slopes, BiasPart::table,     BiasPart::query_slopes, BiasPart::key_slopes,
                                   BiasPart::places, BiasPart::positions, BiasPart::sinks,        BiasPart::sink_logit};
    const auto others = request.bias.without(kServed);
    if (others.empty()) return {};
    return "the position method's bias has parts that the fused kernels do not add: " + others.text();
}

// Whether the operator can leave out far keys of such a bias: of all layers or, if they differ, of none.
bool may_skip(const AttentionRequest& request) {
    BiasParts falling = {BiasPart::slopes, BiasPart::places};
    const bool by_table = request.table_fades && !request.bias.has(BiasPart::positions);
    if (by_table && !on_gpu(request)) falling.add(BiasPart::table);
    constexpr BiasParts kBeside = {BiasPart::positions, BiasPart::sinks, BiasPart::sink_logit};
    const auto others = request.bias.without(kBeside);
    return !others.empty() && others.without(falling).empty() && !std::isinf(request.skip_threshold);
}

std::string refuses(const AttentionRequest& request) {
    if (request.dtype == DType::fp64) {
        return "the arithmetic is fp64, and the fused kernels compute in fp32";
    }
    if (auto refusal = refuses_attend(request); !refusal.empty()) return refusal;
    if (auto refusal = bias_refuses(request); !refusal.empty()) return refusal;
    if (request.far) return "far keys have scores of their own, and the fused kernels compute one for each pair";
    if (request.score_dim != 0 && request.score_dim != request.head_dim)
        return "queries and keys are wider than values, and the fused kernels take them of one size";
    if (auto refusal = gpu_refuses(request.device); !refusal.empty()) {
        return refusal;
    }
    return request.head_dim == 0 ? std::string() : fused_attention_refuses(request.device, request.head_dim);
}

// Replaces slopes whose distances are between given positions by terms of queries and keys: -slope * (p_i - p_j).
void slopes_by_place(BiasSpec& bias, std::int64_t queries) {
    const auto positions = bias.positions.to(at::kDouble);
    const auto keys = positions.size(0);
    // From the middle, since what the gradients of both terms have in common takes no part in the slopes'.
    const auto places = positions.sub(positions.select(0, keys / 2));
    const auto columns = bias.slopes.to(at::kDouble).unsqueeze(1).mul(places).unsqueeze(0);  // [1, heads, keys]
    const auto add = [](at::Tensor& term, const at::Tensor& more) { term = term.defined() ? term.add(more) : more; };
    add(bias.row, columns.narrow(2, keys - queries, queries).neg());
    add(bias.column, columns);
    bias.slopes = bias.positions = at::Tensor();
}

FusedAttentionCall call_of(const AttentionInput& in, double skip_threshold) {
    auto bias = in.bias;
    const bool others = bias.table.defined() || bias.query_slopes.defined() || bias.key_slopes.defined();
    // As terms of queries and keys, slopes let far keys be skipped.
    if (bias.positions.defined() && bias.slopes.defined() && !others) slopes_by_place(bias, in.q.size(2));
    FusedAttentionCall call{.q = in.q,
                            .k = in.k,
                            .v = in.v,
                            .window = bias.window,
                            .dropout = in.dropout,
                            .scale = in.scale,
                            .skip_threshold = skip_threshold};
    const auto give = [](std::optional<at::Tensor>& to, const at::Tensor& part) {
        if (part.defined()) to = part;
    };
    give(call.slopes, bias.slopes);
    give(call.table, bias.table);
    give(call.query_slopes, bias.query_slopes);
    give(call.key_slopes, bias.key_slopes);
    give(call.row, bias.row);
    give(call.column, bias.column);
    give(call.sink_logit, bias.sink_logit);
    if (others) give(call.positions, bias.positions);
    call.sinks = bias.window > 0 ? bias.sinks : 0;
    call.skip_by_table = in.q.is_cpu() && bias.table.defined() && bias.table_fades && !call.positions;
    return call;
}

class FusedAttention final : public AttentionBackend {
public:
    explicit FusedAttention(const AttentionRequest& request)
        : skip_threshold_(request.skip_threshold), skips_(may_skip(request)) {}

    at::Tensor forward(const AttentionInput& in) override {
        const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
        auto call = call_of(in, skip_threshold_);
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
        // Terms of queries and keys, and their gradients; on a GPU, the terms as its kernels read them too.
        if (request.bias.has(BiasPart::places))
            memory.backward += (on_gpu(request) ? 6 : 4) * sizes.rows * sizeof(double);
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
