#include "t5.h"

#include <fmt/core.h>

#include <cmath>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/where.h>

#include "longbow/core/error.h"

namespace longbow {

namespace {

enum class T5Init { normal, zeros };

}  // namespace

template <>
struct ChoiceTable<T5Init> {
    static constexpr Choice<T5Init> values[] = {{T5Init::normal, "normal", "deviation 1/sqrt(model.dim)"},
                                                {T5Init::zeros, "zeros", "all alike"}};
};

at::Tensor t5_buckets(std::int64_t count, std::int64_t buckets, std::int64_t max_distance) {
    const std::int64_t exact = buckets / 2;
    const auto distance = at::arange(count, at::kLong);
    const auto ratio = distance.to(at::kFloat).div(static_cast<double>(exact)).log();
    const auto scaled =
        ratio.div(std::log(static_cast<double>(max_distance) / static_cast<double>(exact))).mul(buckets - exact);
    const auto far = scaled.clamp(0, buckets).to(at::kLong).add(exact).clamp_max(buckets - 1);
    return at::where(distance.lt(exact), distance, far);
}

T5Position::T5Position(const PositionContext& context)
    : dim_(context.dim),
      shared_(option_bool(context.options, "shared")),
      zeros_(option_choice<T5Init>(context.options, "init") == T5Init::zeros) {
    const auto buckets = option_int(context.options, "buckets");
    const auto max_distance = option_int(context.options, "max_distance");
    if (max_distance <= buckets / 2) {
        throw ConfigError(fmt::format(
            "position.max_distance: must be above position.buckets / 2 = {} (near distances have a bucket each)",
            buckets / 2));
    }
    bucket_of_ = register_buffer("bucket_of", t5_buckets(max_distance + 1, buckets, max_distance));
    weight_ = register_parameter(
        "weight", shared_ ? at::empty({buckets, context.heads}) : at::empty({context.layers, buckets, context.heads}));
    reset_parameters();
}

BiasSpec T5Position::bias(const PositionCall& call) {
    BiasSpec spec;
    // at::embedding() is used because its backward pass is deterministic, and that of index() is not.
    spec.table = at::embedding(shared_ ? weight_ : weight_.select(0, call.layer), bucket_of_).t();
    return spec;
}

void T5Position::reset_parameters() {
    const at::NoGradGuard no_grad;
    zeros_ ? weight_.zero_() : weight_.normal_(0.0, 1.0 / std::sqrt(static_cast<double>(dim_)));
}

LONGBOW_REGISTER_POSITION({
    "t5",
    "a learned bias a head for each bucket of distances (Raffel et al., 2020)",
    {{"buckets", std::int64_t{32}, "buckets; half of them are for one distance each", {}, 2, {}},
     {"max_distance", std::int64_t{128}, "distances from here on share the last bucket", {}, 2, {}},
     {"shared", true, "one table for all layers (as T5 has it), or one a layer", {}, {}, {}},
     {"init",
      std::string(name_of(T5Init::normal)),
      "first values: normal with deviation 1/sqrt(model.dim), or zeros",
      choice_names<T5Init>(),
      {},
      {}}},
    [](const PositionContext& context) { return std::make_shared<T5Position>(context); },
    /*slopes=*/false,
    /*title=*/"T5 bias",
    /*slopes_if=*/{},
    /*slopes_need=*/{},
    /*modifiers=*/{Modifier::temperature, Modifier::sinks, Modifier::sink_logit, Modifier::draw},
});

}  // namespace longbow
