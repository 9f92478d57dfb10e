// Tests that LayerNorm computed beside its residual equals ATen's LayerNorm and a sum of gradients.
#include "model/residual_norm.h"

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/nn/functional.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>

#include "longbow/model/autocast.h"
#include "model/norm.h"
#include "unit/model/tiny.h"

namespace longbow {
namespace {

using test::largest_difference;

TEST(ResidualNorm, EqualsLayerNormAndASumOfGradients) {
    const int before = torch::get_num_threads();
    for (const auto& [rows, dim, threads] : std::vector<std::tuple<std::int64_t, std::int64_t, int>>{
             {1, 5, 1}, {70, 24, 2}, {200, 100, 3}, {129, 256, 2}}) {
        for (const bool biased : {false, true}) {
            for (const std::string used : {"both", "norm", "residual"}) {
                SCOPED_TRACE(testing::Message() << rows << " x " << dim << ", threads " << threads << ", bias "
                                                << biased << ", used " << used);
                torch::manual_seed(rows);
                torch::set_num_threads(threads);
                const auto x = torch::randn({2, rows, dim}).mul(3).add(1).requires_grad_(true);
                const auto weight = torch::rand({dim}).add(0.5).requires_grad_(true);
                const auto bias = biased ? torch::randn({dim}).requires_grad_(true) : at::Tensor();
                const auto to_norm = torch::randn(x.sizes()), to_residual = torch::randn(x.sizes());
                std::vector<at::Tensor> inputs = {x};
                if (used != "residual") inputs.push_back(weight);
                if (used != "residual" && biased) inputs.push_back(bias);
                const auto gradients = [&](const at::Tensor& normal, const at::Tensor& residual) {
                    at::Tensor loss = torch::zeros({});
                    if (used != "residual") loss = loss + normal.mul(to_norm).sum();
                    if (used != "norm") loss = loss + residual.mul(to_residual).sum();
                    return torch::autograd::grad({loss}, inputs);
                };
                const auto [normal, residual] = residual_norm(x, weight, bias, 1e-5);
                const auto wanted_normal = torch::layer_norm(x, {dim}, weight, bias, 1e-5);
                EXPECT_TRUE(normal.equal(wanted_normal));
                EXPECT_TRUE(residual.equal(x));
                const auto found = gradients(normal, residual);
                const auto wanted = gradients(wanted_normal, x);
                for (std::size_t i = 0; i < inputs.size(); ++i) {
                    EXPECT_LT(largest_difference(found[i], wanted[i]),
                              2e-5 * std::max(1.0, wanted[i].abs().max().item<double>()))
                        << i;
                }
            }
        }
    }
    torch::set_num_threads(before);
}

TEST(ResidualNorm, ServesFp32OnCpu) {
    const auto weight = torch::ones({8});
    EXPECT_TRUE(residual_norm_serves(torch::ones({4, 8}), weight));
    EXPECT_FALSE(residual_norm_serves(torch::ones({8, 4}).t(), weight));
    EXPECT_FALSE(residual_norm_serves(torch::ones({4, 8}, torch::kDouble), weight));
    EXPECT_FALSE(residual_norm_serves(torch::ones({4, 8}), weight.to(torch::kBFloat16)));
    const AutocastScope autocast(torch::kCPU, torch::kBFloat16);
    EXPECT_FALSE(residual_norm_serves(torch::ones({4, 8}), weight));
}

// The module must give the same with and without gradients, also for the norm that has no kernel here.
TEST(ResidualNorm, TheModuleGoesEitherWay) {
    for (const auto kind : {NormKind::layernorm, NormKind::rmsnorm}) {
        auto config = test::tiny_config().model;
        config.norm = kind;
        Norm norm(config);
        norm.reset_parameters();
        const auto x = torch::randn({6, config.dim});
        const auto [normal, residual] = norm.forward_with_residual(x);
        const torch::NoGradGuard no_grad;
        const auto [plain, same] = norm.forward_with_residual(x);
        EXPECT_LT(largest_difference(normal, plain), 1e-6) << name_of(kind);
        EXPECT_TRUE(residual.equal(x));
        EXPECT_TRUE(same.equal(x));
    }
}

}  // namespace
}  // namespace longbow
