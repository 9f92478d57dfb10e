// Implements FoX, the forgetting transformer (Lin et al., ICLR 2025, equations 4 to 9): each head has a gate in (0, 1)
// at each token, computed from what the layer's attention projects, and the weight of a key is multiplied by the gates
// of the tokens after it, up to the query's own. The bias is F_i - F_j with F the running sum of the gates' logarithms.
// Cable (Veisi et al., 2025) is the same bias: its softplus of h is the logarithm of this gate at -h.
#include <ATen/autocast_mode.h>
#include <ATen/core/Tensor.h>

#include "earlier.h"
#include "token_gates.h"

namespace longbow {

namespace {

class FoxPosition final : public GatedPosition {
public:
    explicit FoxPosition(const PositionContext& context) : GatedPosition(context, /*of_head=*/1) {}

    BiasSpec bias(const PositionCall& call) override {
        const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
        const auto gates = log_gates(call).squeeze(3);  // [batch, heads, new tokens]
        const auto queries = gates.size(2);
        const auto sums = with_earlier(call, "gates", gates, /*dim=*/2).cumsum(2, at::kDouble);
        BiasSpec spec;
        spec.row = sums.narrow(2, sums.size(2) - queries, queries);
        spec.column = sums.neg();
        return spec;
    }

    [[nodiscard]] BiasParts parts_from_data(std::int64_t /*layer*/) const override { return {BiasPart::places}; }
};

}  // namespace

LONGBOW_REGISTER_POSITION({
    .name = "fox",
    .help = "weights of keys fade by gates that the tokens set (forgetting transformer, Lin et al., 2025)",
    .options = {{.key = "gate_bias",
                 .default_value = 0.0,
                 .help = "first value of the gates' bias; at 0 each token halves the weights of those before it",
                 .since = "0.3.0"}},
    .make = [](const PositionContext& context) { return std::make_shared<FoxPosition>(context); },
    .title = "FoX",
    .fades = true,
});

}  // namespace longbow
