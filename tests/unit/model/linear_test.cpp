// Tests that linear layers of either library give the same values and gradients, and the rate, scale and mask of
// dropout.
#include "longbow/model/linear.h"

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "longbow/core/error.h"
#include "longbow/model/autocast.h"
#include "model/chunked_loss.h"
#include "model/dropout.h"
#include "model/relu_ffn.h"
#include "model/transpose.h"
#include "unit/model/gemm_scope.h"
#include "unit/model/tiny.h"

namespace longbow {
namespace {

using test::GemmScope;
using test::largest_difference;

TEST(Linear, OnednnEqualsAtenWithEveryGradient) {
    for (const std::int64_t rows : {3, 70, 130}) {
        for (const bool relu : {false, true}) {
            for (const bool biased : {false, true}) {
                SCOPED_TRACE(testing::Message() << rows << " relu " << relu << " bias " << biased);
                torch::manual_seed(1);
                const auto x = torch::randn({2, rows, 40}).requires_grad_(true);
                const auto weight = torch::randn({56, 40}).requires_grad_(true);
                const auto bias = biased ? torch::randn({56}).requires_grad_(true) : at::Tensor();
                const auto direction = torch::randn({2, rows, 56});
                std::vector<at::Tensor> inputs = {x, weight};
                if (biased) inputs.push_back(bias);
                const auto run = [&](GemmLibrary library) {
                    const GemmScope scope(library);
                    const auto y = relu ? linear_relu(x, weight, bias) : linear(x, weight, bias);
                    auto all = torch::autograd::grad({y.mul(direction).sum()}, inputs);
                    all.push_back(y.detach());
                    return all;
                };
                const auto aten = run(GemmLibrary::aten), onednn = run(GemmLibrary::onednn);
                for (std::size_t i = 0; i < aten.size(); ++i) {
                    EXPECT_LT(largest_difference(aten[i], onednn[i]), 2e-4) << i;
                }
            }
        }
    }
}

// On any CPU, whichever way it computes them.
TEST(Linear, HalfPrecisionWithoutGradientsIsRoundedOnce) {
    for (const auto type : {torch::kBFloat16, torch::kHalf}) {
        torch::manual_seed(3);
        const auto x = torch::randn({70, 96}), weight = torch::randn({48, 96}), bias = torch::randn({48});
        const auto rounded = [&](const at::Tensor& t) { return t.to(type).to(torch::kDouble); };
        const auto expected = torch::linear(rounded(x), rounded(weight), rounded(bias));
        const torch::NoGradGuard no_grad;
        const AutocastScope autocast(c10::DeviceType::CPU, type);
        const auto found = linear(x, weight, bias);
        EXPECT_EQ(found.scalar_type(), type);
        const double unit = type == torch::kHalf ? std::exp2(-11) : std::exp2(-8);
        EXPECT_LT(found.to(torch::kDouble).sub(expected).abs().max().item<double>(),
                  1.01 * unit * expected.abs().max().item<double>());
        EXPECT_EQ(plain_logits(x, weight).scalar_type(), type);
    }
}

// A thread takes chunks of 512 rows. 2 x 20 rows are one thread's; of 2 x 700 rows, two threads have two chunks each,
// and three threads one each. The shapes are wide and narrow. 5,000 rows use a weight in oneDNN's own layout.
TEST(Linear, WithAResidualAndRowsByThread) {
    const GemmScope scope(GemmLibrary::onednn);
    const int before = torch::get_num_threads();
    for (const auto& [rows, threads] :
         std::vector<std::pair<std::int64_t, int>>{{20, 1}, {20, 3}, {700, 1}, {700, 2}, {700, 3}, {2500, 2}}) {
        for (const std::int64_t out : {16, 72}) {
            for (const bool biased : {false, true}) {
                SCOPED_TRACE(testing::Message()
                             << rows << " rows, threads " << threads << ", out " << out << ", bias " << biased);
                torch::manual_seed(4);
                const auto x = torch::randn({2, rows, 40}).requires_grad_(true);
                const auto weight = torch::randn({out, 40}).requires_grad_(true);
                const auto bias = biased ? torch::randn({out}).requires_grad_(true) : at::Tensor();
                const auto residual = torch::randn({2, rows, out}).requires_grad_(true);
                const auto direction = torch::randn({2, rows, out});
                std::vector<at::Tensor> inputs = {x, weight, residual};
                if (biased) inputs.push_back(bias);
                torch::set_num_threads(threads);
                const auto y = linear_add(x, weight, bias, residual);
                const auto found = torch::autograd::grad({y.mul(direction).sum()}, inputs);
                torch::set_num_threads(before);
                const auto wanted_y = residual + (biased ? at::linear(x, weight, bias) : at::linear(x, weight));
                const auto wanted = torch::autograd::grad({wanted_y.mul(direction).sum()}, inputs);
                EXPECT_LT(largest_difference(y, wanted_y), 1e-4);
                for (std::size_t i = 0; i < inputs.size(); ++i) {
                    EXPECT_LT(largest_difference(found[i], wanted[i]), 1e-5 * wanted[i].abs().max().item<double>())
                        << i;
                }
                const torch::NoGradGuard no_grad;
                EXPECT_LT(largest_difference(linear_add(x, weight, bias, residual), wanted_y), 1e-4);
            }
        }
    }
}

// 2 x 2100 rows use weights in oneDNN's own layout. Chunks have 512 rows: 2 x 40 rows are part of one; 2 x 257 rows are
// one chunk and two rows of one thread; of 2 x 1100 rows, two threads have three chunks each. The backward pass may
// have another number of threads than the forward pass had.
TEST(Linear, FeedForwardInChunksEqualsTheLayers) {
    const int before = torch::get_num_threads();
    for (const auto& [rows, threads] : std::vector<std::pair<std::int64_t, int>>{
             {20, 1}, {40, 3}, {257, 1}, {257, 2}, {700, 1}, {1100, 2}, {1100, 3}, {2100, 2}}) {
        for (const bool biased : {false, true}) {
            SCOPED_TRACE(testing::Message() << rows << " threads " << threads << " bias " << biased);
            torch::manual_seed(2);
            const auto parameter = [](at::IntArrayRef shape) {
                return torch::randn(shape).mul(0.2).requires_grad_(true);
            };
            const auto x = torch::randn({2, rows, 24}).requires_grad_(true);
            const auto weight_in = parameter({56, 24}), weight_out = parameter({24, 56});
            const auto bias_in = biased ? parameter({56}) : at::Tensor(),
                       bias_out = biased ? parameter({24}) : at::Tensor();
            const auto direction = torch::randn({2, rows, 24});
            std::vector<at::Tensor> inputs = {x, weight_in, weight_out};
            const auto residual = biased ? parameter({2, rows, 24}) : at::Tensor();
            if (biased) inputs.insert(inputs.end(), {bias_in, bias_out, residual});
            const auto run = [&](bool chunks) {
                const GemmScope scope(chunks ? GemmLibrary::onednn : GemmLibrary::aten);
                torch::set_num_threads(threads);
                // With biases, the residual is added too.
                const auto layers = [&] {
                    return linear(at::relu(linear(x, weight_in, bias_in)), weight_out, bias_out);
                };
                const auto y = chunks   ? relu_ffn(x, weight_in, bias_in, weight_out, bias_out, residual)
                               : biased ? residual + layers()
                                        : layers();
                torch::set_num_threads(biased ? threads : before);
                auto all = torch::autograd::grad({y.mul(direction).sum()}, inputs);
                all.push_back(y.detach());
                return all;
            };
            const auto layers = run(false), chunks = run(true);
            for (std::size_t i = 0; i < layers.size(); ++i) {
                EXPECT_EQ(layers[i].sizes(), chunks[i].sizes()) << i;
                EXPECT_LT(largest_difference(layers[i], chunks[i]), 1e-4 * layers[i].abs().max().item<double>()) << i;
            }
            // Without gradients, the chunks are not kept.
            const torch::NoGradGuard no_grad;
            const GemmScope scope(GemmLibrary::onednn);
            torch::set_num_threads(threads);
            const auto y = relu_ffn(x, weight_in, bias_in, weight_out, bias_out, residual);
            EXPECT_LT(largest_difference(y, layers.back()), 1e-4 * layers.back().abs().max().item<double>());
        }
    }
    torch::set_num_threads(before);
}

// Evaluation and generation set no library.
TEST(Linear, TheRuleChoosesTheLibraryUntilOneIsSet) {
    EXPECT_EQ(gemm_library(), gemm_library_by_rule());
    {
        const GemmScope scope(GemmLibrary::aten);
        EXPECT_EQ(gemm_library(), GemmLibrary::aten);
    }
    EXPECT_EQ(gemm_library(), gemm_library_by_rule());
}

TEST(Linear, TransposedEqualsAten) {
    const auto wide = torch::randn({70, 90});
    for (const auto& x :
         {torch::randn({1, 5}), torch::randn({16, 32}), torch::randn({33, 47}), wide.slice(1, 3, 60).slice(0, 1, 69)}) {
        EXPECT_TRUE(transposed(x).equal(x.t()));
        EXPECT_TRUE(transposed(x).is_contiguous());
    }
}

TEST(Linear, OnlyWhatNeedsAGradientGetsOne) {
    const GemmScope scope(GemmLibrary::onednn);
    const auto x = torch::randn({64, 8}), weight = torch::randn({16, 8}).requires_grad_(true);
    linear(x, weight, torch::zeros({16})).sum().backward();
    EXPECT_FALSE(x.grad().defined());
    EXPECT_LT(largest_difference(weight.grad(), x.sum(0).expand({16, 8})), 1e-4);
}

TEST(Linear, OtherTypesAndAutocastAreServed) {
    const GemmScope scope(GemmLibrary::onednn);
    const auto x = torch::randn({64, 8}), weight = torch::randn({16, 8});
    EXPECT_LT(largest_difference(linear(x.to(torch::kDouble), weight.to(torch::kDouble), at::Tensor()),
                                 x.to(torch::kDouble).matmul(weight.to(torch::kDouble).t())),
              1e-12);
    const AutocastScope autocast(at::kCPU, at::kBFloat16);
    const at::Tensor none;
    EXPECT_EQ(linear(x, weight, none).scalar_type(), at::kBFloat16);
}

TEST(Linear, GemmTakesAnyStrides) {
    for (const auto library : {GemmLibrary::aten, GemmLibrary::onednn}) {
        const GemmScope scope(library);
        for (const auto& [m, n] : {std::pair{48, 100}, std::pair{100, 48}}) {
            const auto a = torch::randn({64, m}).t(), b = torch::randn({n, 64}).t();
            EXPECT_LT(largest_difference(gemm(a, b), a.to(torch::kDouble).matmul(b.to(torch::kDouble))), 1e-4);
            EXPECT_LT(largest_difference(gemm(a.contiguous(), b.contiguous()), gemm(a, b)), 1e-4);
        }
    }
}

TEST(Linear, NamesOfTheLibraries) {
    for (const auto library : {GemmLibrary::aten, GemmLibrary::onednn}) {
        EXPECT_EQ(gemm_library_from(to_string(library)), library);
    }
    EXPECT_THROW(gemm_library_from("blis"), ConfigError);
}

TEST(Dropout, RateScaleAndGradient) {
    torch::manual_seed(3);
    const auto x = torch::ones({1001, 333}, torch::kDouble).requires_grad_(true);
    const auto y = dropout(x, 0.3);
    const auto kept = y.ne(0);
    const double n = static_cast<double>(x.numel());
    EXPECT_NEAR(kept.to(torch::kDouble).mean().item<double>(), 0.7, 5 * std::sqrt(0.21 / n));
    EXPECT_LT(largest_difference(y, kept.to(torch::kDouble).div(0.7)), 1e-12);
    y.sum().backward();
    EXPECT_TRUE(x.grad().equal(y.detach()));
    // Neighbours must be independent although a pair of them shares one hash.
    const auto flat = kept.view({-1}).slice(0, 0, 333332).view({-1, 2}).to(torch::kDouble);
    EXPECT_NEAR(flat.select(1, 0).mul(flat.select(1, 1)).mean().item<double>(), 0.49,
                5 * std::sqrt(0.25 / flat.size(0)));
}

TEST(Dropout, AddsToTheResidualAndFollowsTheSeed) {
    const auto x = torch::randn({50, 31}), residual = torch::randn({50, 31}).requires_grad_(true);
    torch::manual_seed(7);
    const auto dropped = dropout(x, 0.5);
    torch::manual_seed(7);
    const auto sum = add_dropout(residual, x, 0.5);
    EXPECT_TRUE(sum.detach().equal(residual.detach() + dropped));
    sum.sum().backward();
    EXPECT_TRUE(residual.grad().eq(1).all().item<bool>());
    EXPECT_FALSE(dropout(x, 0.5).equal(dropped));
    EXPECT_TRUE(dropout(x, 0.0).is_same(x));
    torch::manual_seed(7);
    EXPECT_EQ(add_dropout(residual, x.to(torch::kBFloat16), 0.5).scalar_type(), at::kFloat);
}

TEST(Dropout, SameMaskOnAnyNumberOfThreads) {
    const auto x = torch::ones({400, 500});
    const int threads = at::get_num_threads();
    torch::manual_seed(7);
    at::set_num_threads(1);
    const auto one = dropout(x, 0.5);
    torch::manual_seed(7);
    at::set_num_threads(2);
    const auto two = dropout(x, 0.5);
    at::set_num_threads(threads);
    EXPECT_TRUE(one.equal(two));
}

}  // namespace
}  // namespace longbow
