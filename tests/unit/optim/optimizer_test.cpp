// Tests the optimizers against PyTorch and fairseq, and what they share: resuming, clipping, division of gradients.
#include "longbow/optim/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "longbow/core/error.h"

namespace longbow {
namespace {

// Runs four updates with four learning rates on two parameters, the first with weight decay 0.3 and the second without.
std::vector<double> run(const OptimConfig& config) {
    const auto fp64 = torch::dtype(torch::kDouble);
    auto a = torch::tensor({0.5, -1.25, 2.0}, fp64).requires_grad_();
    auto b = torch::tensor({-0.75}, fp64).requires_grad_();
    const auto optimizer = make_optimizer(config, {a, b}, {true, false});
    int update = 0;
    for (const double lr : {0.1, 0.2, 0.05, 0.01}) {
        a.mutable_grad() = torch::sin(torch::arange(3, fp64) + update) * (a.detach() + 1);
        b.mutable_grad() = std::cos(static_cast<double>(update)) * b.detach();
        optimizer->step(lr);
        ++update;
    }
    EXPECT_EQ(optimizer->steps(), 4);
    std::vector<double> values;
    for (const auto& tensor : {a, b}) {
        for (std::int64_t i = 0; i < tensor.numel(); ++i) values.push_back(tensor[i].item<double>());
    }
    return values;
}

void expect_near(const std::vector<double>& actual, const std::vector<double>& expected) {
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t i = 0; i < actual.size(); ++i) EXPECT_NEAR(actual[i], expected[i], 1e-14) << i;
}

// Expected values are from torch.optim (2.11) in fp64, with the updates of run() above:
//   a = tensor([.5, -1.25, 2.]); b = tensor([-.75]); a.grad = sin(arange(3) + u) * (a + 1); b.grad = cos(u) * b
//   AdamW([{params: [a], weight_decay: .3}, {params: [b], weight_decay: 0}], betas=(.8, .95), eps=1e-6); SGD likewise
TEST(Optimizer, AdamWEqualsTorch) {
    OptimConfig config;
    config.beta1 = 0.8;
    config.beta2 = 0.95;
    config.eps = 1e-6;
    config.weight_decay = 0.3;
    expect_near(run(config), {0.24344762382903945, -0.80925551277202779, 1.5547986890387604, -0.44385243687039844});
}

TEST(Optimizer, SgdEqualsTorch) {
    OptimConfig config;
    config.name = "sgd";
    config.weight_decay = 0.3;
    expect_near(run(config), {0.029668192398549471, -0.90304017608424147, 0.77071679938160653, -0.42757532666056269});
    config.nesterov = true;
    expect_near(run(config), {-0.23447277598557661, -0.78638824187729039, 0.49506039210470154, -0.33512677231160404});
    config.nesterov = false;
    config.momentum = 0;
    expect_near(run(config), {0.1459991656528799, -1.0655897216469912, 1.5837076362800213, -0.62067079968914018});
}

// fairseq's own formula (optim/nag.py), which keeps its buffer and the learning rate of the previous step, for the
// updates of run() above.
TEST(Optimizer, NagEqualsFairseqs) {
    OptimConfig config;
    config.name = "nag";
    config.weight_decay = 0.3;
    for (const double momentum : {0.9, 0.99, 0.0}) {
        config.momentum = momentum;
        std::vector<double> p = {0.5, -1.25, 2.0, -0.75};
        std::vector<double> buffer(4);
        double lr_old = 0.1;
        int update = 0;
        for (const double lr : {0.1, 0.2, 0.05, 0.01}) {
            const double r = lr / lr_old;
            for (std::size_t i = 0; i < 4; ++i) {
                const double g = i < 3 ? std::sin(static_cast<double>(i) + update) * (p[i] + 1)
                                       : std::cos(static_cast<double>(update)) * p[i];
                if (i < 3) p[i] *= 1 - lr * config.weight_decay;
                p[i] += momentum * momentum * r * buffer[i] - (1 + momentum) * lr * g;
                buffer[i] = momentum * r * buffer[i] - lr * g;
            }
            lr_old = lr;
            ++update;
        }
        expect_near(run(config), p);
    }
}

TEST(Optimizer, GoesOnExactlyFromItsSlotsAndSteps) {
    torch::manual_seed(1);
    OptimConfig config;
    auto straight = torch::randn({33}).requires_grad_();
    auto resumed = straight.detach().clone().requires_grad_();
    const auto first = make_optimizer(config, {straight}, {true});
    auto second = make_optimizer(config, {resumed}, {true});
    for (int update = 0; update < 6; ++update) {
        const auto gradient = torch::randn({33});
        straight.mutable_grad() = gradient;
        resumed.mutable_grad() = gradient;
        first->step(1e-2);
        second->step(1e-2);
        if (update == 2) {
            auto next = make_optimizer(config, {resumed}, {true});
            for (std::size_t s = 0; s < next->slots().size(); ++s)
                next->slots()[s].tensors[0].copy_(second->slots()[s].tensors[0]);
            next->set_steps(second->steps());
            second = std::move(next);
        }
    }
    EXPECT_TRUE(straight.equal(resumed));
}

TEST(Optimizer, AParameterWithoutGradientStays) {
    auto used = torch::ones({2}).requires_grad_();
    auto unused = torch::ones({2}).requires_grad_();
    OptimConfig config;
    config.weight_decay = 1;
    used.mutable_grad() = torch::ones({2});
    make_optimizer(config, {used, unused}, {true, true})->step(0.1);
    EXPECT_FALSE(used.equal(torch::ones({2})));
    EXPECT_TRUE(unused.equal(torch::ones({2})));
}

TEST(Optimizer, ClipsToTheGlobalNorm) {
    auto a = torch::zeros({2}).requires_grad_();
    auto b = torch::zeros({1}).requires_grad_();
    a.mutable_grad() = torch::tensor({3.0f, 0.0f});
    b.mutable_grad() = torch::tensor({4.0f});
    const auto norm = gradient_norm({a, b});
    EXPECT_FLOAT_EQ(norm.item<float>(), 5.0f);
    EXPECT_EQ(clipping_divisor(norm, 10.0).item<float>(), 1.0f) << "a small gradient is left as it is";
    EXPECT_NEAR(clipping_divisor(norm, 1.0).item<float>(), 5.0f, 1e-5);
    OptimConfig config;
    config.name = "sgd";
    config.momentum = 0;
    make_optimizer(config, {a, b}, {false, false})->step(1.0, clipping_divisor(norm, 1.0));
    EXPECT_NEAR(torch::cat({a, b}).norm().item<float>(), 1.0f, 1e-6) << "a step of the clipped gradient from 0";
    a.mutable_grad()[0] = NAN;
    EXPECT_TRUE(std::isnan(gradient_norm({a, b}).item<float>()));
}

// For every optimizer, with and without weight decay, in fp32 and fp64, a step with a divisor must equal the step with
// divided gradients.
TEST(Optimizer, DividesTheGradients) {
    for (const std::string name : {"adamw", "sgd", "nag"}) {
        for (const auto type : {torch::kFloat, torch::kDouble}) {
            OptimConfig config;
            config.name = name;
            config.weight_decay = 0.1;
            config.momentum = 0.9;
            config.eps = 1e-2;  // otherwise AdamW's first step hardly depends on the gradients' size
            const auto stepped = [&](bool divided_before) {
                torch::manual_seed(3);
                const std::vector<at::Tensor> parameters = {torch::randn({40}, type).requires_grad_(),
                                                            torch::randn({7}, type).requires_grad_()};
                const auto optimizer = make_optimizer(config, parameters, {true, false});
                for (int i = 0; i < 2; ++i) {
                    for (const auto& parameter : parameters) {
                        const auto gradient = torch::randn(parameter.sizes(), type);
                        parameter.mutable_grad() = divided_before ? gradient / 2.5 : gradient;
                    }
                    optimizer->step(0.1, divided_before ? at::Tensor() : torch::tensor(2.5, type));
                }
                return torch::cat({parameters[0].detach(), parameters[1].detach()});
            };
            EXPECT_LT((stepped(true) - stepped(false)).abs().max().item<double>(), type == torch::kFloat ? 1e-6 : 1e-14)
                << name;
        }
    }
}

TEST(Optimizer, RefusesNesterovWithoutMomentum) {
    OptimConfig config;
    config.name = "sgd";
    config.momentum = 0;
    config.nesterov = true;
    EXPECT_THROW(make_optimizer(config, {torch::zeros({1})}, {true}), ConfigError);
}

}  // namespace
}  // namespace longbow
