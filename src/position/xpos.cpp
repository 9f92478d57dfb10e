// Implements xPos (Sun et al., ACL 2023, algorithm 1): rotary positions, of which each pair m of elements fades with
// the distance d, by z_m^(d / scale_base) with z_m = (2m/D + 0.4) / 1.4. Factors on queries and keys themselves
// overflow fp32 at position 36,000, so that attention is given the exponents instead and multiplies by their
// differences.
#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>

#include <algorithm>
#include <cmath>

#include "longbow/core/error.h"
#include "longbow/position/position_method.h"
#include "rotate_pairs.h"

namespace longbow {

namespace {

constexpr double kGamma = 0.4;

class XposPosition final : public PositionMethod {
public:
    explicit XposPosition(const PositionContext& context)
        : head_dim_(context.head_dim()),
          base_(option_double(context.options, "base")),
          scale_base_(option_double(context.options, "scale_base")) {
        if (head_dim_ % 2 != 0) {
            throw ConfigError(
                "position.method: xpos rotates pairs, so the size of a head (model.head_dim, or "
                "model.dim / model.heads) must be even");
        }
        // A buffer follows the model to its device.
        pairs_ = register_buffer("pairs", at::arange(head_dim_ / 2, at::kFloat));
    }

    Rotated rotate(const PositionCall& call) override {
        return {.q = turned_by(call.q, call), .k = turned_by(call.k, call)};
    }

    BiasSpec bias(const PositionCall& call) override {
        const auto m = pairs_.to(at::kDouble);
        const auto z = m.mul(2.0 / static_cast<double>(head_dim_)).add(kGamma).div(1.0 + kGamma);
        const auto exponents = z.log().div(scale_base_).repeat_interleave(2);
        const auto place = at::arange(std::max<std::int64_t>(call.keys, 1), exponents.options());
        BiasSpec spec;
        spec.channel = place.unsqueeze(1).mul(exponents).view({1, 1, -1, head_dim_});
        return spec;
    }

private:
    at::Tensor turned_by(const at::Tensor& x, const PositionCall& call) {
        const auto type = x.scalar_type();
        const auto wide = type == at::kDouble ? at::kDouble : at::kFloat;
        return rotate_pairs(x.to(wide), table(call.positions, wide), head_dim_).to(type);
    }

    // All layers of a pass share the last table.
    const RotationTable& table(const at::Tensor& positions, at::ScalarType type) {
        if (positions_.defined() && positions_.is_same(positions) && type_ == type) return table_;
        // Angles in fp32 would be off by 1e-3 at position 65,535.
        const auto m = at::arange(head_dim_ / 2, positions.options().dtype(at::kDouble));
        const auto frequencies = m.mul(-2.0 * std::log(base_) / static_cast<double>(head_dim_)).exp();
        const auto angles = positions.to(at::kDouble).unsqueeze(1).mul(frequencies);
        table_ = rotation_table(angles, 1.0, RotaryPairs::interleaved, type);
        positions_ = positions;
        type_ = type;
        return table_;
    }

    std::int64_t head_dim_;
    double base_, scale_base_;
    at::Tensor pairs_;      // [head_dim / 2], their numbers
    at::Tensor positions_;  // those that table_ was made for
    at::ScalarType type_ = at::kFloat;
    RotationTable table_;
};

}  // namespace

LONGBOW_REGISTER_POSITION({
    .name = "xpos",
    .help = "rotary positions whose pairs fade with the distance (xPos, Sun et al., 2023)",
    .options = {{.key = "base",
                 .default_value = 10000.0,
                 .help = "pair k of a head turns by position * base^(-2k/dim)",
                 .minimum = 1.0,
                 .since = "0.3.0"},
                {.key = "scale_base",
                 .default_value = 512.0,
                 .help = "tokens in which pair k of a head fades by (2k/dim + 0.4) / 1.4",
                 .minimum = 1e-6,
                 .since = "0.3.0"}},
    .make = [](const PositionContext& context) { return std::make_shared<XposPosition>(context); },
    .title = "xPos",
});

}  // namespace longbow
