#include "sinusoidal.h"

#include <fmt/core.h>

#include <cmath>

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>

#include "longbow/core/error.h"

namespace longbow {

namespace {
constexpr std::int64_t kFirstIndex = 2;  // fairseq: padding_idx + 1
}

at::Tensor sinusoidal_rows(const at::Tensor& positions, std::int64_t dim) {
    const std::int64_t half = dim / 2;
    const auto options = positions.options().dtype(at::kDouble);
    const auto frequencies = at::arange(half, options).mul(-std::log(10000.0) / static_cast<double>(half - 1)).exp();
    const auto angles = positions.to(at::kDouble).add(kFirstIndex).unsqueeze(1).mul(frequencies);
    auto rows = at::cat({angles.sin(), angles.cos()}, 1);
    return dim % 2 == 0 ? rows : at::constant_pad_nd(rows, {0, 1});
}

SinusoidalPosition::SinusoidalPosition(const PositionContext& context) : dim_(context.dim) {
    if (dim_ < 4) {
        throw ConfigError(fmt::format("model.dim: sinusoidal positions need at least 4 dimensions, not {}", dim_));
    }
}

at::Tensor SinusoidalPosition::embed(const at::Tensor& x, const PositionCall& call) {
    if (!positions_.is_same(call.positions) || rows_.dtype() != x.dtype()) {
        positions_ = call.positions;
        rows_ = sinusoidal_rows(positions_, dim_).to(x.scalar_type());
    }
    return x.add(rows_);
}

LONGBOW_REGISTER_POSITION({
    "sinusoidal",
    "fixed sinusoids added to the embedding, as fairseq lays them out (Vaswani et al., 2017)",
    {},
    [](const PositionContext& context) { return std::make_shared<SinusoidalPosition>(context); },
    /*slopes=*/false,
    /*title=*/{},
    /*slopes_if=*/{},
    /*slopes_need=*/{},
    /*modifiers=*/{Modifier::temperature, Modifier::sinks, Modifier::sink_logit, Modifier::draw},
});

}  // namespace longbow
