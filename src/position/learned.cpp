#include "learned.h"

#include <fmt/core.h>

#include <cmath>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>

#include "longbow/core/error.h"

namespace longbow {

LearnedPosition::LearnedPosition(const PositionContext& context)
    : dim_(context.dim),
      rows_(option_int(context.options, "max_length")),
      offset_(option_int(context.options, "offset")) {
    if (rows_ == 0) {
        rows_ = context.train_length;
    }
    if (rows_ < context.train_length) {
        throw ConfigError(fmt::format("position.max_length: {} is below train.length {}", rows_, context.train_length));
    }
    weight_ = register_parameter("weight", at::empty({rows_ + offset_, dim_}));
    reset_parameters();
}

at::Tensor LearnedPosition::embed(const at::Tensor& x, const PositionCall& call) {
    return x.add(at::embedding(weight_, offset_ == 0 ? call.positions : call.positions.add(offset_)));
}

void LearnedPosition::reset_parameters() {
    const at::NoGradGuard no_grad;
    weight_.normal_(0.0, 1.0 / std::sqrt(static_cast<double>(dim_)));
}

LONGBOW_REGISTER_POSITION({
    "learned",
    "one learned vector a position, added to the embedding; windows may not be longer than its table (Gehring et al., 2017)",
    {{"max_length",
      std::int64_t{0},
      "positions in the table, the longest window that it can serve; 0: train.length",
      {},
      0,
      {}},
     {.key = "offset",
      .default_value = std::int64_t{0},
      .help = "rows of the table before that of position 0, which are not used (OPT has 2)",
      .minimum = 0,
      .since = "0.3.0"}},
    [](const PositionContext& context) { return std::make_shared<LearnedPosition>(context); },
    /*slopes=*/false,
    /*title=*/{},
    /*slopes_if=*/{},
    /*slopes_need=*/{},
    /*modifiers=*/{Modifier::temperature, Modifier::sinks, Modifier::sink_logit, Modifier::draw},
});

}  // namespace longbow
