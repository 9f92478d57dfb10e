// Compares the chunked loss with plain cross-entropy: values, gradients, scaling, accumulation, precisions.
#include "longbow/model/output_head.h"

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/nn/functional.h>

#include "longbow/model/autocast.h"
#include "longbow/model/linear.h"
#include "model/chunked_loss.h"
#include "unit/model/gemm_scope.h"
#include "unit/model/tiny.h"

namespace longbow {
namespace {

using test::largest_difference;

struct Case {
    std::shared_ptr<LanguageModel> model;
    at::Tensor weight, hidden, targets;

    explicit Case(const std::string& dtype, bool tied = true, std::int64_t rows = 23, std::int64_t chunk = 10) {
        auto config = test::tiny_config("none", dtype);
        config.model.tie_output = tied;
        config.train.loss_chunk = chunk;
        model = test::tiny_model(config);
        const auto parameters = model->named_parameters();
        weight = parameters[tied ? "embed.weight" : "head.weight"];
        hidden = torch::randn({rows, 24}, weight.options().requires_grad(false)).requires_grad_(true);
        targets = torch::randint(test::kVocab, {rows}, torch::kLong);
    }

    at::Tensor plain(double scale) const {
        return torch::nn::functional::cross_entropy(
                   hidden.matmul(weight.t()), targets,
                   torch::nn::functional::CrossEntropyFuncOptions().reduction(torch::kSum))
            .mul(scale);
    }
};

TEST(LinearHead, LossAndGradientsEqualCrossEntropy) {
    for (const bool tied : {true, false}) {
        for (const auto& [dtype, tolerance] : {std::pair<std::string, double>{"fp64", 1e-12}, {"fp32", 2e-5}}) {
            for (const auto library : {GemmLibrary::aten, GemmLibrary::onednn}) {
                const test::GemmScope scope(library);
                const Case c(dtype, tied, 100);
                const double scale = 0.37;
                const auto loss = c.model->head().loss(c.hidden, c.targets, scale);
                EXPECT_NEAR(loss.item<double>(), c.plain(scale).item<double>(), 10 * tolerance);
                // The factor 3 is applied outside, like a loss scale.
                const auto found = torch::autograd::grad({loss.mul(3)}, {c.hidden, c.weight});
                const auto expected = torch::autograd::grad({c.plain(scale).mul(3)}, {c.hidden, c.weight});
                EXPECT_LT(largest_difference(found[0], expected[0]), tolerance);
                EXPECT_LT(largest_difference(found[1], expected[1]), tolerance);
            }
        }
    }
}

// Each thread computes logits, softmax and gradients of its rows, at least 64 per thread. Chunks here end within a
// thread's share.
TEST(LinearHead, ThreadsShareTheRows) {
    const test::GemmScope scope(GemmLibrary::onednn);
    const int before = torch::get_num_threads();
    for (const auto& [rows, threads] : std::vector<std::pair<std::int64_t, int>>{{200, 2}, {333, 3}, {700, 4}}) {
        SCOPED_TRACE(testing::Message() << rows << " rows, threads " << threads);
        const Case c("fp32", false, rows, 300);
        torch::set_num_threads(threads);
        const auto loss = c.model->head().loss(c.hidden, c.targets, 0.5);
        const auto found = torch::autograd::grad({loss}, {c.hidden, c.weight});
        torch::set_num_threads(before);
        const auto wanted = torch::autograd::grad({c.plain(0.5)}, {c.hidden, c.weight});
        EXPECT_NEAR(loss.item<double>(), c.plain(0.5).item<double>(), 1e-6 * loss.item<double>());
        EXPECT_LT(largest_difference(found[0], wanted[0]), 2e-6);
        EXPECT_LT(largest_difference(found[1], wanted[1]), 5e-5);
    }
}

TEST(LinearHead, FiniteDifferencesAgree) {
    const Case c("fp64");
    auto& head = c.model->head();
    const auto gradients = torch::autograd::grad({head.loss(c.hidden, c.targets, 1.5)}, {c.hidden, c.weight});
    const torch::NoGradGuard no_grad;
    const double step = 1e-6;
    for (const auto& [tensor, gradient] : {std::pair{c.hidden, gradients[0]}, std::pair{c.weight, gradients[1]}}) {
        const auto flat = tensor.view({-1});
        for (std::int64_t i = 0; i < flat.numel(); i += 37) {
            const auto at = [&](double value) {
                flat[i].fill_(value);
                return head.loss(c.hidden, c.targets, 1.5).item<double>();
            };
            const auto value = flat[i].item<double>();
            const double slope = (at(value + step) - at(value - step)) / (2 * step);
            flat[i].fill_(value);
            EXPECT_NEAR(gradient.view({-1})[i].item<double>(), slope, 1e-7);
        }
    }
}

TEST(LinearHead, GradientsAccumulate) {
    const Case c("fp64");
    auto& head = c.model->head();
    const auto whole = torch::autograd::grad({head.loss(c.hidden, c.targets, 1.0)}, {c.weight})[0];
    head.loss(c.hidden.slice(0, 0, 9), c.targets.slice(0, 0, 9), 1.0).backward();
    head.loss(c.hidden.slice(0, 9), c.targets.slice(0, 9), 1.0).backward();
    EXPECT_LT(largest_difference(c.weight.grad(), whole), 1e-12);
}

TEST(LinearHead, NllIsTheLossPerTokenAndNeedsNoGradient) {
    for (const std::string dtype : {"fp64", "fp32"}) {
        const Case c(dtype);
        const auto nll = c.model->head().nll(c.hidden, c.targets);
        EXPECT_FALSE(nll.requires_grad());
        const auto log_p = c.hidden.detach().matmul(c.weight.detach().t()).log_softmax(1);
        EXPECT_LT(largest_difference(nll, -log_p.gather(1, c.targets.unsqueeze(1)).squeeze(1)),
                  dtype == "fp64" ? 1e-12 : 1e-5);
        EXPECT_LT(largest_difference(c.model->head().logits(c.hidden.detach()).log_softmax(1), log_p),
                  dtype == "fp64" ? 1e-12 : 1e-5);
    }
}

TEST(LinearHead, HalfPrecisionTakesTheSoftmaxInFp32) {
    for (const auto type : {at::kBFloat16, at::kHalf}) {
        const Case c("fp32");
        const auto expected = torch::autograd::grad({c.plain(1.0)}, {c.hidden, c.weight});
        const AutocastScope scope(at::kCPU, type);
        const auto loss = c.model->head().loss(c.hidden, c.targets, 1.0);
        EXPECT_EQ(loss.scalar_type(), at::kFloat);
        EXPECT_EQ(c.model->head().nll(c.hidden, c.targets).scalar_type(), at::kFloat);
        EXPECT_EQ(c.model->head().logits(c.hidden).scalar_type(), at::kFloat);
        const auto found = torch::autograd::grad({loss}, {c.hidden, c.weight});
        for (int i = 0; i < 2; ++i) {
            EXPECT_EQ(found[i].scalar_type(), at::kFloat);
            EXPECT_LT(found[i].sub(expected[i]).norm().item<double>() / expected[i].norm().item<double>(), 0.01);
        }
    }
}

TEST(LinearHead, WithoutGradientsTheLossIsAPlainNumber) {
    const Case c("fp64");
    const torch::NoGradGuard no_grad;
    const auto loss = c.model->head().loss(c.hidden, c.targets, 1.0);
    EXPECT_FALSE(loss.requires_grad());
    EXPECT_NEAR(loss.item<double>(), c.plain(1.0).item<double>(), 1e-10);
}

// 1 / tokens is not a number of half precision: rounding it would shift the whole gradient by up to 0.4 %.
TEST(ChunkedLoss, HalfPrecisionInputsAreScaledBeforeTheyAreRounded) {
    torch::manual_seed(4);
    const auto hidden = torch::randn({40, 16}).to(torch::kBFloat16).requires_grad_(true);
    const auto weight = torch::randn({30, 16}).requires_grad_(true);
    const auto targets = torch::randint(30, {40}, torch::kLong);
    const auto gradient = [&](double scale) {
        const AutocastScope autocast(c10::kCPU, at::kBFloat16);
        return torch::autograd::grad({chunked_loss(hidden, weight, at::Tensor(), targets, scale, 16)}, {hidden})[0].to(
            torch::kDouble);
    };
    constexpr double kScale = 1.0 / 73728;
    const auto whole = gradient(1.0), scaled = gradient(kScale);
    const double ratio = (scaled * whole).sum().item<double>() / (whole * whole).sum().item<double>() / kScale;
    EXPECT_NEAR(ratio, 1.0, 3e-4);
}

}  // namespace
}  // namespace longbow
