// Chi et al. 2022, "KERPLE", the logarithmic kernel: bias = -r1 log(1 + r2 (i - j)), r1 and r2 above 0 and learned, a pair a head.
#include <torch/types.h>

#include "longbow/position/position_method.h"

namespace longbow {

class Kerple : public PositionMethod {
public:
    explicit Kerple(const PositionContext& context) : length_(option_int(context.options, "table")) {
        r1_ = register_parameter("r1", torch::ones({context.heads, 1}));
        r2_ = register_parameter("r2", torch::ones({context.heads, 1}));
    }
    BiasSpec bias(std::int64_t) override {  // a function of the distance: a table [heads, M], with its gradient
        const auto distance = torch::arange(length_, r1_.options());
        // Both stay above 0, whatever the learning rate; the authors clamp them before each pass, softplus leaves the parameters alone.
        const auto r1 = torch::softplus(r1_), r2 = torch::softplus(r2_);
        return {.kind = BiasSpec::Kind::table, .table = -r1 * torch::log1p(r2 * distance)};
    }

private:
    std::int64_t length_;
    torch::Tensor r1_, r2_;
};

LONGBOW_REGISTER_POSITION({"kerple",
                           "log-distance bias (Chi et al., 2022)",
                           {{"table", std::int64_t{4096}, "distances kept apart; all longer ones share the last"}},
                           [](const PositionContext& context) { return std::make_shared<Kerple>(context); }});

}  // namespace longbow
