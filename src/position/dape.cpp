// Implements DAPE (Zheng et al., NeurIPS 2024, equations 2-4): scores A and a static bias B, here KERPLE's
// -p ln(1 + a d), become A + B + f(A, B), where f is a perceptron over the heads of one query and key, one a layer.
#include <ATen/autocast_mode.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/leaky_relu.h>
#include <ATen/ops/matmul.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kept_in_range.h"
#include "longbow/position/attend_memory.h"
#include "longbow/position/position_method.h"
#include "scored.h"

namespace longbow {

namespace {

constexpr double kLeast = 0.01;       // of KERPLE's numbers
constexpr double kLeakySlope = 0.01;  // of the perceptron's function below 0

class DapePosition final : public PositionMethod, public CountsAttendMemory {
public:
    explicit DapePosition(const PositionContext& context)
        : heads_(context.heads), width_(option_int(context.options, "width")) {
        const auto layers = context.layers, width = width_;
        p_ = register_parameter("p", at::empty({layers, heads_}));
        a_ = register_parameter("a", at::empty({layers, heads_}));
        in_weight_ = register_parameter("in_weight", at::empty({layers, width, 2 * heads_}));
        in_bias_ = register_parameter("in_bias", at::empty({layers, width}));
        out_weight_ = register_parameter("out_weight", at::empty({layers, heads_, width}));
        out_bias_ = register_parameter("out_bias", at::empty({layers, heads_}));
        reset_parameters();
    }

    [[nodiscard]] bool attends(std::int64_t /*layer*/) const override { return true; }

    at::Tensor attend(const ScoredAttention& in, const PositionCall& call) override {
        const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
        const auto products = scaled_products(in);
        const auto distances = key_distances(in);
        const auto fixed = static_bias(distances, call.layer, call.training).to(products.scalar_type());
        const auto scores = products.add(fixed).add(perceptron(products, fixed, call.layer));
        return softmax_values(in, scores, hidden_keys(in, distances));
    }

    // A hidden element of the perceptron is a matrix of each input, and its bias's part one of all inputs together.
    // Autograd keeps what goes into the perceptron's function and what comes out of it; the bias B is there three
    // times.
    [[nodiscard]] AttendMemory attend_memory(const AttendPass& pass) const override {
        const double matrix = pass.matrix();
        const double hidden = matrix / static_cast<double>(pass.heads) * static_cast<double>(width_);
        const double shared = matrix / static_cast<double>(pass.batch);
        const double shared_hidden = hidden / static_cast<double>(pass.batch);
        AttendMemory memory;
        memory.kept = 2 * hidden + matrix + 3 * shared;
        memory.backward = hidden + shared_hidden + (pass.dropout ? -matrix : matrix);
        memory.evaluation = std::max(2 * hidden + shared_hidden + shared, 4 * matrix);
        return memory;
    }

    void reset_parameters() override {
        const at::NoGradGuard no_grad;
        p_.uniform_(0.0, 2.0);
        a_.uniform_(0.0, 1.0);
        // This is how PyTorch's linear layers begin.
        const auto draw = [](at::Tensor& weight, at::Tensor& bias) {
            const double bound = 1.0 / std::sqrt(static_cast<double>(weight.size(2)));
            weight.uniform_(-bound, bound);
            bias.uniform_(-bound, bound);
        };
        draw(in_weight_, in_bias_);
        draw(out_weight_, out_bias_);
    }

private:
    // Returns KERPLE's bias [heads, Lq, Lk].
    [[nodiscard]] at::Tensor static_bias(const at::Tensor& distances, std::int64_t layer, bool training) const {
        const auto of_layer = [&](const at::Tensor& numbers) {
            constexpr double kNoLimit = std::numeric_limits<double>::infinity();
            return kept_in_range(numbers, kLeast, kNoLimit, training).select(0, layer).view({-1, 1, 1});
        };
        const auto p = of_layer(p_), a = of_layer(a_);
        return distances.clamp_min(0).to(p.scalar_type()).mul(a).log1p().mul(p.neg());
    }

    // The first layer is a sum of the scores' part and the bias's, so that the bias is not repeated for each row of the
    // batch.
    [[nodiscard]] at::Tensor perceptron(const at::Tensor& products, const at::Tensor& fixed, std::int64_t layer) const {
        const auto type = products.scalar_type();
        const auto weight = in_weight_.select(0, layer).to(type);
        const auto column = [&](const at::Tensor& bias) { return bias.select(0, layer).to(type).unsqueeze(1); };
        const auto of_bias = at::matmul(weight.narrow(1, heads_, heads_), fixed.flatten(1)).add(column(in_bias_));
        const auto hidden =
            at::leaky_relu(at::matmul(weight.narrow(1, 0, heads_), products.flatten(2)).add(of_bias), kLeakySlope);
        const auto out = at::matmul(out_weight_.select(0, layer).to(type), hidden).add(column(out_bias_));
        return out.view(products.sizes());
    }

    std::int64_t heads_, width_;
    at::Tensor p_, a_;                  // [layers, heads]
    at::Tensor in_weight_, in_bias_;    // [layers, width, 2 heads], [layers, width]
    at::Tensor out_weight_, out_bias_;  // [layers, heads, width], [layers, heads]
};

}  // namespace

LONGBOW_REGISTER_POSITION({
    .name = "dape",
    .help = "KERPLE's logarithm, which a perceptron over the heads fits to the scores (DAPE, Zheng et al., 2024)",
    .options = {{.key = "width",
                 .default_value = std::int64_t{32},
                 .help = "hidden elements of the perceptron",
                 .minimum = 1,
                 .since = "0.3.0"}},
    .make = [](const PositionContext& context) { return std::make_shared<DapePosition>(context); },
    .title = "DAPE",
    .modifiers = {},
});

}  // namespace longbow
