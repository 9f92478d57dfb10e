// Implements FIRE (Li et al., ICLR 2024, equation 9): the bias of query i and key j at distance d is f(psi(d) /
// psi(max(i, |m L0|))) with psi(x) = ln(|c| x + 1) and f a perceptron of one hidden layer of ReLUs. Since f has one
// input, it is a curve of straight pieces (BiasCurve), whose knots are where a unit's ReLU begins or ends.
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "longbow/position/position_method.h"

namespace longbow {

namespace {

constexpr double kFirstC = 0.1, kEpsilon = 1e-6;

// Returns the running sums of x [heads, width] before each knot and behind the last one, [heads, width + 1].
at::Tensor sums_left_of(const at::Tensor& x) {
    return at::cat({at::zeros({x.size(0), 1}, x.options()), x.cumsum(1)}, 1);
}

class FirePosition final : public PositionMethod {
public:
    explicit FirePosition(const PositionContext& context)
        : shared_(option_bool(context.options, "shared")),
          threshold_(static_cast<double>(option_int(context.options, "threshold_length"))) {
        const auto layers = shared_ ? std::int64_t{1} : context.layers, width = option_int(context.options, "width");
        w1_ = register_parameter("w1", at::empty({layers, width}));
        b1_ = register_parameter("b1", at::empty({layers, width}));
        w2_ = register_parameter("w2", at::empty({layers, context.heads, width}));
        b2_ = register_parameter("b2", at::empty({layers, context.heads}));
        c_ = register_parameter("c", at::empty({layers}));
        m_ = register_parameter("m", at::empty({layers}));
        reset_parameters();
    }

    BiasSpec bias(const PositionCall& call) override {
        const auto layer = shared_ ? 0 : call.layer;
        const auto c = c_.select(0, layer).abs();
        const auto options = c_.options().requires_grad(false);
        const auto psi = [&](const at::Tensor& x) { return x.mul(c).log1p(); };
        const auto places = call.positions.defined() ? call.positions.to(options) : at::zeros({1}, options);
        BiasSpec spec;
        auto& curve = spec.curve.emplace(curve_of(layer));
        curve.warp = psi(at::arange(std::max<std::int64_t>(call.keys, 1), options));
        const auto from = at::maximum(places, m_.select(0, layer).mul(threshold_).abs());
        curve.row_scale = psi(from).add(kEpsilon).reciprocal();
        return spec;
    }

    [[nodiscard]] bool bias_differs_by_layer() const override { return !shared_; }

    // As PyTorch's linear layers draw theirs.
    void reset_parameters() override {
        const at::NoGradGuard no_grad;
        const double second = 1.0 / std::sqrt(static_cast<double>(w2_.size(2)));
        w1_.uniform_(-1.0, 1.0);
        b1_.uniform_(-1.0, 1.0);
        w2_.uniform_(-second, second);
        b2_.uniform_(-second, second);
        c_.fill_(kFirstC);
        m_.fill_(1.0);
    }

private:
    // Returns the pieces of f: knots, and offset and slope between them. A unit whose weight is positive counts right
    // of its knot, one whose weight is negative left of it, and one without weight everywhere if its bias is positive.
    [[nodiscard]] BiasCurve curve_of(std::int64_t layer) const {
        const auto w1 = w1_.select(0, layer), b1 = b1_.select(0, layer), w2 = w2_.select(0, layer);
        BiasCurve curve;
        at::Tensor order;
        {
            const at::NoGradGuard no_grad;  // f is continuous, so that its knots' places have no gradient of their own
            const auto places = at::where(w1.eq(0), at::zeros_like(w1), b1.div(w1).neg());
            std::tie(curve.knots, order) = places.sort();
        }
        const auto weight = w1.index_select(0, order), bias = b1.index_select(0, order);
        const auto head = w2.index_select(1, order);
        const auto rising = weight.gt(0).to(w1.scalar_type()), falling = weight.lt(0).to(w1.scalar_type());
        const auto flat = weight.eq(0).logical_and(bias.gt(0)).to(w1.scalar_type());
        // Each unit's part of the sum, [heads, units], where it counts.
        const auto pieces = [&](const at::Tensor& part) {
            const auto up = head.mul(part.mul(rising)), down = head.mul(part.mul(falling));
            return sums_left_of(up).add(down.sum(1, true).sub(sums_left_of(down)));
        };
        curve.slope = pieces(weight);
        curve.offset = pieces(bias).add(b2_.select(0, layer).unsqueeze(1)).add(head.mul(bias.mul(flat)).sum(1, true));
        return curve;
    }

    bool shared_;
    double threshold_;
    at::Tensor w1_, b1_;  // [layers, width], or [1, ..] for all layers, as the others
    at::Tensor w2_, b2_;  // [layers, heads, width], [layers, heads]
    at::Tensor c_, m_;    // [layers]
};

}  // namespace

LONGBOW_REGISTER_POSITION({
    .name = "fire",
    .help = "a learned curve of the distance, as a share of the query's place (FIRE, Li et al., 2024)",
    .options =
        {{.key = "width",
          .default_value = std::int64_t{32},
          .help = "units of the curve's hidden layer",
          .minimum = 1,
          .maximum = 4096,
          .since = "0.3.0"},
         {.key = "threshold_length",
          .default_value = std::int64_t{512},
          .help =
              "distances count as shares of the query's place from here on, times a learned factor that begins at 1",
          .minimum = 1,
          .since = "0.3.0"},
         {.key = "shared",
          .default_value = false,
          .help = "one curve for all layers (FIRE-S), or one a layer",
          .since = "0.3.0"}},
    .make = [](const PositionContext& context) { return std::make_shared<FirePosition>(context); },
    .title = "FIRE",
});

}  // namespace longbow
