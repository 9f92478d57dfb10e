#include "rotary.h"

#include <fmt/core.h>

#include <cmath>

#include <ATen/ops/arange.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/polar.h>
#include <ATen/ops/view_as_complex.h>
#include <ATen/ops/view_as_real.h>

#include "longbow/core/error.h"

namespace longbow {

namespace {

// Rotates x [batch, heads, length, head_dim], viewed as complex pairs: one pass over memory forward, one backward.
at::Tensor rotated(const at::Tensor& x, const at::Tensor& rotation) {
    const auto pairs = at::view_as_complex(x.unflatten(-1, {-1, 2}));
    return at::view_as_real(pairs.mul(rotation)).flatten(-2);
}

}  // namespace

RotaryPosition::RotaryPosition(const PositionContext& context)
    : head_dim_(context.head_dim()), base_(option_double(context.options, "base")) {
    if (head_dim_ % 2 != 0) {
        throw ConfigError(fmt::format(
            "position.method: rotary rotates pairs, so model.dim / model.heads must be even, not {}", head_dim_));
    }
}

const at::Tensor& RotaryPosition::rotation(const at::Tensor& positions, at::ScalarType type) {
    const auto complex_type = at::toComplexType(type);
    if (!positions_.is_same(positions) || rotation_.scalar_type() != complex_type) {
        const auto pairs = at::arange(head_dim_ / 2, positions.options().dtype(at::kDouble));
        const auto frequencies = pairs.mul(-2.0 * std::log(base_) / static_cast<double>(head_dim_)).exp();
        const auto angles = positions.to(at::kDouble).unsqueeze(1).mul(frequencies);
        positions_ = positions;
        rotation_ = at::polar(at::ones_like(angles), angles).to(complex_type);
    }
    return rotation_;
}

std::pair<at::Tensor, at::Tensor> RotaryPosition::rotate(const at::Tensor& q, const at::Tensor& k,
                                                         const at::Tensor& positions) {
    const auto type = q.scalar_type();
    // Half precision has neither a complex product nor the precision for the rotation.
    const auto wide = type == at::kDouble ? at::kDouble : at::kFloat;
    const auto& turn = rotation(positions, wide);
    return {rotated(q.to(wide), turn).to(type), rotated(k.to(wide), turn).to(type)};
}

LONGBOW_REGISTER_POSITION({
    "rotary",
    "queries and keys rotated by their position, interleaved pairs over the whole head (Su et al., 2021)",
    {{"base", 10000.0, "pair k of a head turns by position * base^(-2k/head_dim)", {}, 1.0, {}}},
    [](const PositionContext& context) { return std::make_shared<RotaryPosition>(context); },
});

}  // namespace longbow
