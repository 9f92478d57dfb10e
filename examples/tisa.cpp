// Wennberg and Henter, ACL 2021, "The Case for Translation-Invariant Self-Attention", TISA: the bias of a head is a sum of learned bumps of
// the distance d = i - j, the sum over s of a_s exp(-|b_s| (d - c_s)^2).
#include <torch/types.h>

#include <algorithm>

#include "longbow/position/position_method.h"

namespace longbow {

class Tisa : public PositionMethod {
public:
    explicit Tisa(const PositionContext& context) : reach_(static_cast<double>(context.train_length)) {
        const auto bumps = option_int(context.options, "bumps");
        a_ = register_parameter("a", torch::empty({context.heads, 1, bumps}));
        b_ = register_parameter("b", torch::empty({context.heads, 1, bumps}));
        c_ = register_parameter("c", torch::empty({context.heads, 1, bumps}));
        reset_parameters();
    }
    BiasSpec bias(const PositionCall& call) override {  // a table [heads, M] of min(d, M - 1), with its gradient
        const auto distance = torch::arange(std::max<std::int64_t>(call.keys, 1), a_.options().requires_grad(false));
        const auto bumps = a_ * torch::exp(-b_.abs() * (distance.unsqueeze(1) - c_).square());
        return {.table = bumps.sum(2)};
    }
    void reset_parameters() override {
        const torch::NoGradGuard no_grad;
        a_.normal_(0.0, 1.0);
        b_.fill_(0.1);
        c_.uniform_(0.0, reach_);  // among the distances that the training has
    }

private:
    double reach_;
    torch::Tensor a_, b_, c_;  // [heads, 1, bumps]
};

LONGBOW_REGISTER_POSITION({.name = "tisa",
                           .help = "learned bumps of the distance (Wennberg and Henter, 2021)",
                           .options = {{.key = "bumps", .default_value = std::int64_t{5}, .help = "bumps a head", .minimum = 1}},
                           .make = [](const PositionContext& context) { return std::make_shared<Tisa>(context); },
                           .title = "TISA"});

}  // namespace longbow
