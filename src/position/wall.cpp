// Implements Wall attention (Tilde Research, 2026, in flash-linear-attention): each channel of each head has a gate in
// (0, 1) at each token, computed from what the layer's attention projects, and the channel's part of a score is
// multiplied by the gates of the tokens after the key, up to the query's own.
#include <ATen/autocast_mode.h>
#include <ATen/core/Tensor.h>

#include "earlier.h"
#include "token_gates.h"

namespace longbow {

namespace {

class WallPosition final : public GatedPosition {
public:
    explicit WallPosition(const PositionContext& context) : GatedPosition(context, context.head_dim()) {}

    BiasSpec bias(const PositionCall& call) override {
        const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
        BiasSpec spec;
        // [batch, heads, keys, head_dim]
        spec.channel = with_earlier(call, "gates", log_gates(call), /*dim=*/2).cumsum(2, at::kDouble);
        return spec;
    }

    [[nodiscard]] BiasParts parts_from_data(std::int64_t /*layer*/) const override { return {BiasPart::channel}; }
};

}  // namespace

LONGBOW_REGISTER_POSITION({
    .name = "wall",
    .help = "each channel fades by gates that the tokens set (Wall attention, Tilde Research, 2026)",
    .options = {{.key = "gate_bias",
                 .default_value = 8.0,
                 .help = "first value of the gates' bias; at 8 they are nearly open",
                 .since = "0.3.0"}},
    .make = [](const PositionContext& context) { return std::make_shared<WallPosition>(context); },
    .title = "Wall",
});

}  // namespace longbow
