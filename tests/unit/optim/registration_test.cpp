// Tests an optimizer and a schedule of a user's own, which are registered only here and reached through a
// configuration.
#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>
#include <torch/types.h>

#include "longbow/config/context.h"
#include "longbow/config/load.h"
#include "longbow/core/error.h"
#include "longbow/optim/optimizer.h"
#include "longbow/optim/schedule.h"

namespace longbow {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// p -= gain * lr * sign(g), with a slot that counts the steps.
class SignDescent final : public Optimizer {
public:
    explicit SignDescent(const OptimizerRequest& request)
        : parameters_(request.parameters), gain_(option_double(request.config.options, "gain")) {
        slots_.push_back({"count", {}});
        for (const auto& parameter : parameters_) slots_[0].tensors.push_back(torch::zeros_like(parameter));
    }
    void step(double lr, const at::Tensor& /*divisor*/) override {
        const at::NoGradGuard no_grad;
        ++steps_;
        for (std::size_t i = 0; i < parameters_.size(); ++i) {
            parameters_[i].sub_(parameters_[i].grad().sign(), gain_ * lr);
            slots_[0].tensors[i].add_(1);
        }
    }
    std::vector<OptimizerSlot>& slots() override { return slots_; }
    [[nodiscard]] std::int64_t steps() const override { return steps_; }
    void set_steps(std::int64_t steps) override { steps_ = steps; }

private:
    std::vector<at::Tensor> parameters_;
    double gain_;
    std::vector<OptimizerSlot> slots_;
    std::int64_t steps_ = 0;
};

LONGBOW_REGISTER_OPTIMIZER(
    {.name = "sign_descent",
     .help = "Only the sign of the gradient counts",
     .reads = {"beta1"},
     .options = {{"gain", 2.0, "Factor on the learning rate", {}, 0.0, 10.0}},
     .slots = [](const OptimConfig&) { return std::vector<std::string>{"count"}; },
     .make = [](const OptimizerRequest& request) { return std::make_unique<SignDescent>(request); }});

LONGBOW_REGISTER_SCHEDULE({.name = "halving",
                           .help = "Half the rate every so many updates",
                           .options = {{"every", std::int64_t{10}, "Updates", {}, 1.0, 1e9}},
                           .lr = [](const SchedulePoint& point) {
                               const auto every = option_int(point.schedule.options, "every");
                               return point.peak_lr /
                                      static_cast<double>(1LL << (static_cast<std::int64_t>(point.update) / every));
                           }});

Config configured(const std::string& yaml) { return parse_config(yaml, "x.yaml", registered_config_context()); }

std::string refusal(const std::string& yaml) {
    try {
        configured(yaml);
    } catch (const ConfigError& error) {
        return error.what();
    }
    return "accepted";
}

TEST(Registration, AnOptimizerNeedsItsOwnFileAlone) {
    const auto config = configured("optim: {name: sign_descent, gain: 3.0, beta1: 0.5, lr: 0.5}");
    EXPECT_THAT(optimizer_slots(config.optim), ElementsAre("count"));
    auto weight = torch::zeros({2}, torch::requires_grad());
    weight.mutable_grad() = torch::tensor({4.0F, -1.0F});
    make_optimizer(config.optim, {weight}, {true})->step(config.optim.lr);
    EXPECT_TRUE(weight.detach().equal(torch::tensor({-1.5F, 1.5F})));
    // The option is written, read back, and refused for other optimizers; shared keys that this optimizer does not read
    // are refused too.
    const auto& context = registered_config_context();
    EXPECT_THAT(config_yaml(config, context), HasSubstr("gain: 3"));
    EXPECT_EQ(parse_config(config_yaml(config, context), "again", context), config);
    EXPECT_THAT(refusal("optim: {name: adamw, gain: 3.0}"),
                HasSubstr("it needs optim.name: sign_descent, and optim.name is adamw"));
    EXPECT_THAT(refusal("optim: {name: sign_descent, momentum: 0.5}"), HasSubstr("it needs optim.name: nag or sgd"));
    EXPECT_THAT(refusal("optim: {name: sign_descent, gain: 11}"), HasSubstr("at most 10"));
    EXPECT_THAT(refusal("optim: {name: sing_descent}"), HasSubstr("sign_descent"));
}

TEST(Registration, AScheduleNeedsItsOwnFileAlone) {
    const auto config = configured("schedule: {name: halving, every: 4}");
    EXPECT_FALSE(has_period(config.schedule));
    EXPECT_EQ(learning_rate(config.schedule, 1.0, 3, 0, 100), 1.0);
    EXPECT_EQ(learning_rate(config.schedule, 1.0, 8, 0, 100), 0.25);
    EXPECT_THAT(refusal("schedule: {name: halving, min_lr: 1e-5}"),
                HasSubstr("it needs schedule.name: cosine or linear"));
    ScheduleConfig unfilled;
    unfilled.name = "halving";
    EXPECT_EQ(learning_rate(unfilled, 1.0, 10, 0, 100), 0.5) << "the declared default";
}

TEST(Registration, NamesAreTakenOnce) {
    EXPECT_THROW(register_optimizer({.name = "adamw"}), ConfigError);
    EXPECT_THROW(register_schedule({.name = "cosine"}), ConfigError);
}

}  // namespace
}  // namespace longbow
