#include "learned.h"

#include <fmt/core.h>

#include <cmath>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>

#include "longbow/core/error.h"

namespace longbow {

LearnedPosition::LearnedPosition(const PositionContext& context)
    : dim_(context.dim), rows_(option_int(context.options, "max_length")) {
    if (rows_ == 0) {
        rows_ = context.train_length;
    }
    if (rows_ < context.train_length) {
        throw ConfigError(fmt::format("position.max_length: {} is below train.length {}", rows_, context.train_length));
    }
    weight_ = register_parameter("weight", at::empty({rows_, dim_}));
    reset_parameters();
}

at::Tensor LearnedPosition::embed(const at::Tensor& x, const at::Tensor& positions) {
    return x.add(at::embedding(weight_, positions));
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
      "rows of the table, the longest window that it can serve; 0: train.length",
      {},
      0,
      {}}},
    [](const PositionContext& context) { return std::make_shared<LearnedPosition>(context); },
});

}  // namespace longbow
