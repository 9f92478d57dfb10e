#include "path.h"

#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linalg_solve_triangular.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/log_sigmoid.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/silu.h>

#include <algorithm>
#include <cmath>

#include "earlier.h"
#include "longbow/position/attend_memory.h"
#include "scored.h"

namespace longbow {

at::Tensor path_attention(const ScoredAttention& in, const PathTokens& tokens) {
    const auto wide = wide_type(in.q);
    const auto rows = in.q.size(2), before = in.k.size(2) - rows;
    const auto q = in.q.to(wide).mul(in.scale), k = in.k.to(wide);
    const auto& w = tokens.w;
    const auto beta = tokens.beta.unsqueeze(2);
    // On its way from its own token i down, a query loses c_it w_t at token t, where c_it is beta_t times the product
    // of w_t and what is left of the query there: w_t q_i less the sum of c_iu w_t w_u over u = t + 1 .. i. All c of a
    // query solve one triangular system.
    const auto overlaps = at::matmul(w, w.transpose(2, 3)).tril(-1).mul(beta);
    const auto first = at::matmul(q, w.transpose(2, 3)).tril(before).mul(beta);
    const auto lost =
        at::linalg_solve_triangular(overlaps, first, /*upper=*/false, /*left=*/false, /*unitriangular=*/true);
    auto scores = at::matmul(q, k.transpose(2, 3)).sub(at::matmul(lost, at::matmul(w, k.transpose(2, 3)).tril(-1)));
    if (tokens.log_gates.defined()) {
        // Sums of many gates are large, and their differences small.
        const auto sums = tokens.log_gates.cumsum(-1, at::kDouble);
        scores = scores.add(sums.narrow(-1, before, rows).unsqueeze(3).sub(sums.unsqueeze(2)).to(wide));
    }
    return softmax_values(in, scores, hidden_keys(in, key_distances(in)));
}

namespace {

constexpr std::int64_t kRank = 32, kTaps = 3;
constexpr double kDeviation = 0.02, kLeastSquare = 1e-6;

class PathPosition final : public PositionMethod, public CountsAttendMemory {
public:
    explicit PathPosition(const PositionContext& context)
        : heads_(context.heads), head_dim_(context.head_dim()), fox_(option_bool(context.options, "fox")) {
        const auto layers = context.layers, rows = heads_ * head_dim_;
        down_ = register_parameter("down", at::empty({layers, kRank, context.dim}));
        up_ = register_parameter("up", at::empty({layers, rows, kRank}));
        taps_ = register_parameter("taps", at::empty({layers, kTaps, rows}));
        beta_weight_ = register_parameter("beta_weight", at::empty({layers, heads_, context.dim}));
        beta_bias_ = register_parameter("beta_bias", at::empty({layers, heads_}));
        if (fox_) {
            gate_weight_ = register_parameter("gate_weight", at::empty({layers, heads_, context.dim}));
            gate_bias_ = register_parameter("gate_bias", at::empty({layers, heads_}));
        }
        reset_parameters();
    }

    [[nodiscard]] bool attends(std::int64_t /*layer*/) const override { return true; }

    at::Tensor attend(const ScoredAttention& in, const PositionCall& call) override {
        const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
        const auto x = call.x.to(wide_type(in.q));
        PathTokens tokens;
        tokens.w = with_earlier(call, "w", directions(x, call), /*dim=*/2);
        const auto beta = at::sigmoid(of_heads(x, beta_weight_, beta_bias_, call.layer)).mul(2.0);
        tokens.beta = with_earlier(call, "beta", beta, /*dim=*/2);
        if (fox_) {
            const auto log_gates = at::log_sigmoid(of_heads(x, gate_weight_, gate_bias_, call.layer));
            tokens.log_gates = with_earlier(call, "gates", log_gates, /*dim=*/2);
        }
        return path_attention(in, tokens);
    }

    // Autograd keeps both factors of the tokens' overlaps and of the queries' first losses, the solution of the system
    // (twice, as its result and as a factor) and the keys' part.
    [[nodiscard]] AttendMemory attend_memory(const AttendPass& pass) const override {
        constexpr double kKept = 5, kOfTokens = 6;
        const double matrix = pass.matrix();
        AttendMemory memory;
        memory.kept =
            kKept * matrix + kOfTokens * matrix * static_cast<double>(pass.head_dim) / static_cast<double>(pass.length);
        if (!pass.dropout) memory.backward = (fox_ ? 2 : 1) * matrix;
        memory.evaluation = (fox_ ? 5 : 4) * matrix;
        return memory;
    }

    void reset_parameters() override {
        const at::NoGradGuard no_grad;
        for (auto* weight : {&down_, &up_, &beta_weight_, &gate_weight_}) {
            if (weight->defined()) weight->normal_(0.0, kDeviation);
        }
        for (auto* bias : {&beta_bias_, &gate_bias_}) {
            if (bias->defined()) bias->zero_();
        }
        const double bound = 1.0 / std::sqrt(static_cast<double>(kTaps));  // as PyTorch's convolutions begin
        taps_.uniform_(-bound, bound);
    }

private:
    // Returns a number a head of each new token, [batch, heads, length].
    static at::Tensor of_heads(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                               std::int64_t layer) {
        const auto type = x.scalar_type();
        return at::linear(x, weight.select(0, layer).to(type), bias.select(0, layer).to(type)).transpose(1, 2);
    }

    // Returns the unit vectors of the new tokens, [batch, heads, length, head_dim].
    [[nodiscard]] at::Tensor directions(const at::Tensor& x, const PositionCall& call) const {
        const auto type = x.scalar_type();
        const auto length = x.size(1), layer = call.layer;
        // The convolution sees tokens before the new ones: of these the narrow projection is kept.
        const auto all = with_earlier(call, "narrow", at::linear(x, down_.select(0, layer).to(type)), /*dim=*/1);
        const auto seen = std::min(all.size(1), length + kTaps - 1);
        const auto narrow =
            at::constant_pad_nd(all.narrow(1, all.size(1) - seen, seen), {0, 0, length + kTaps - 1 - seen, 0});
        const auto projected = at::linear(narrow, up_.select(0, layer).to(type));
        at::Tensor sum;
        for (std::int64_t tap = 0; tap < kTaps; ++tap) {
            const auto part = projected.narrow(1, tap, length).mul(taps_.select(0, layer).select(0, tap).to(type));
            sum = sum.defined() ? sum.add(part) : part;
        }
        const auto w = at::silu(sum).unflatten(-1, {heads_, head_dim_}).transpose(1, 2);
        return w.mul(w.square().sum(-1, /*keepdim=*/true).add(kLeastSquare).rsqrt());
    }

    std::int64_t heads_, head_dim_;
    bool fox_;
    at::Tensor down_, up_;                // [layers, rank, dim], [layers, heads * head_dim, rank]
    at::Tensor taps_;                     // [layers, taps, heads * head_dim], the last one is the token's own
    at::Tensor beta_weight_, beta_bias_;  // [layers, heads, dim], [layers, heads]
    at::Tensor gate_weight_, gate_bias_;  // the same; undefined without FoX
};

}  // namespace

LONGBOW_REGISTER_POSITION({
    .name = "path",
    .help = "tokens between a key and a query turn what these compare (PaTH attention, Yang et al., 2025)",
    .options = {{.key = "fox",
                 .default_value = false,
                 .help = "scores fade by gates of the tokens after the key, too (PaTH-FoX)",
                 .since = "0.3.0"}},
    .make = [](const PositionContext& context) { return std::make_shared<PathPosition>(context); },
    .title = "PaTH",
    .modifiers = {},
});

}  // namespace longbow
