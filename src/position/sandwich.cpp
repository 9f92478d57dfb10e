// Implements Sandwich (Chi et al., ACL 2023, section 5): the inner products of sinusoidal embeddings as a bias. Head h
// of 1 .. H adds (sum of cos(d / 10000^(2m/dim)) over m = 1 .. dim/2, less dim/2) / (8 h / H) at distance d = i - j.
#include <torch/types.h>

#include <algorithm>
#include <cmath>

#include "longbow/core/error.h"
#include "longbow/position/position_method.h"

namespace longbow {

class SandwichPosition : public PositionMethod {
public:
    explicit SandwichPosition(const PositionContext& context) : dim_(option_int(context.options, "dim")) {
        if (dim_ % 2 != 0) throw ConfigError("position.dim: each sinusoid takes two, so it must be even");
        const auto heads = torch::arange(1, context.heads + 1, torch::kDouble);
        // A buffer follows the model to its device and its precision.
        divisors_ = register_buffer("divisors", heads * (8.0 / static_cast<double>(context.heads)));
    }

    BiasSpec bias(const PositionCall& call) override {
        const auto keys = std::max<std::int64_t>(call.keys, 1);
        if (!table_.defined() || table_.size(1) < keys || table_.device() != divisors_.device() ||
            table_.dtype() != divisors_.dtype()) {
            table_ = table(2 * keys);  // a generation adds keys one by one
        }
        return {.table = table_.narrow(1, 0, keys), .table_fades = true};
    }

private:
    // Returns the bias of each head and distance, [heads, distances].
    [[nodiscard]] torch::Tensor table(std::int64_t distances) const {
        const auto wide = divisors_.options().dtype(torch::kDouble);
        const auto m = torch::arange(1, dim_ / 2 + 1, wide);
        const auto frequencies = (m * (-2.0 * std::log(10000.0) / static_cast<double>(dim_))).exp();
        const auto waves = torch::cos(torch::arange(distances, wide).unsqueeze(1) * frequencies);
        const auto sums = waves.sum(1) - static_cast<double>(dim_ / 2);
        return (sums / divisors_.to(torch::kDouble).unsqueeze(1)).to(divisors_.scalar_type());
    }

    std::int64_t dim_;
    torch::Tensor divisors_;  // [heads]
    torch::Tensor table_;     // [heads, distances], at least as many as there were keys
};

LONGBOW_REGISTER_POSITION({
    .name = "sandwich",
    .help = "inner products of sinusoids as a bias; nothing learned (Chi et al., 2023)",
    .options = {{.key = "dim",
                 .default_value = std::int64_t{128},
                 .help = "twice the number of sinusoids, whatever the size of a head",
                 .minimum = 2,
                 .since = "0.3.0"}},
    .make = [](const PositionContext& context) { return std::make_shared<SandwichPosition>(context); },
    .modifiers = {Modifier::temperature, Modifier::sinks, Modifier::sink_logit, Modifier::draw},
    .fades = true,
});

}  // namespace longbow
