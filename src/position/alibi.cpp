#include "alibi.h"

#include <cmath>

#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>

namespace longbow {

namespace {

std::vector<double> geometric_slopes(std::int64_t heads) {
    std::vector<double> slopes;
    for (std::int64_t i = 1; i <= heads; ++i) {
        slopes.push_back(std::exp2(-8.0 * static_cast<double>(i) / static_cast<double>(heads)));
    }
    return slopes;
}

}  // namespace

std::vector<double> alibi_slopes(std::int64_t heads, SlopeRule rule) {
    std::int64_t lower = 1;
    while (lower * 2 <= heads) {
        lower *= 2;
    }
    if (rule == SlopeRule::geometric || lower == heads) {
        return geometric_slopes(heads);
    }
    auto slopes = geometric_slopes(lower);
    const auto finer = geometric_slopes(2 * lower);
    for (std::size_t i = 0; slopes.size() < static_cast<std::size_t>(heads); i += 2) {
        slopes.push_back(finer[i]);
    }
    return slopes;
}

AlibiPosition::AlibiPosition(const PositionContext& context) {
    auto slopes = alibi_slopes(context.heads, option_choice<SlopeRule>(context.options, "slopes"));
    for (auto& slope : slopes) slope *= option_double(context.options, "slope_scale");
    slopes_ = register_buffer("slopes", at::tensor(slopes, at::kDouble));
}

BiasSpec AlibiPosition::bias(std::int64_t) {
    BiasSpec spec;
    spec.kind = BiasSpec::Kind::slopes;
    spec.slopes = slopes_;
    return spec;
}

LONGBOW_REGISTER_POSITION({
    "alibi",
    "linear biases on attention scores, a slope a head; nothing learned (Press et al., 2022)",
    {{"slopes",
      std::string(name_of(SlopeRule::authors)),
      "rule when heads is not a power of two: the authors' interleave, or 2^(-8i/heads)",
      choice_names<SlopeRule>(),
      {},
      {}},
     {"slope_scale",
      1.0,
      "all slopes times this: with 8, a distance d has the bias that 8 d has with 1",
      {},
      1e-6,
      {}}},
    [](const PositionContext& context) { return std::make_shared<AlibiPosition>(context); },
    /*slopes=*/true,
    /*title=*/"ALiBi",
});

}  // namespace longbow
