// Compares every back-end with the reference, and the reference with a loop over single numbers.
#include "longbow/attention/attention_backend.h"

#include <ATen/autocast_mode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "longbow/core/error.h"

namespace longbow {
namespace {

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
    const auto difference = a.to(torch::kDouble).sub(b.to(torch::kDouble)).abs();
    return difference.isnan().any().item<bool>() ? std::numeric_limits<double>::infinity()
                                                 : difference.max().item<double>();
}

// The parts of a bias that are tried by themselves.
enum class Kind { none, slopes, table };

BiasSpec bias_of(Kind kind, std::int64_t heads, at::ScalarType type, bool grad = false) {
    BiasSpec spec;
    if (kind == Kind::slopes) {
        spec.slopes = torch::pow(2.0, -torch::arange(1, heads + 1, type));
    } else if (kind == Kind::table) {
        spec.table = torch::randn({heads, 7}, type).requires_grad_(grad);
    }
    return spec;
}

AttentionInput input_of(Kind kind, std::int64_t rows, std::int64_t columns, at::ScalarType type, bool grad = false) {
    const std::int64_t batch = 2, heads = 3, head_dim = 8;
    AttentionInput input;
    const auto fresh = [&](std::int64_t length) {
        return torch::randn({batch, heads, length, head_dim}, torch::kDouble).to(type).detach().requires_grad_(grad);
    };
    input.q = fresh(rows);
    input.k = fresh(columns);
    input.v = fresh(columns);
    input.bias = bias_of(kind, heads, type == torch::kDouble ? torch::kDouble : torch::kFloat, grad);
    return input;
}

const std::vector<Kind> kKinds = {Kind::none, Kind::slopes, Kind::table};
// {Lq, Lk}: a square, a window that continues, decoding of one token, and more rows than sdpa takes in a block.
const std::vector<std::pair<std::int64_t, std::int64_t>> kLengths = {{9, 9}, {4, 9}, {1, 9}, {1, 1}, {300, 310}};

std::unique_ptr<AttentionBackend> backend(const std::string& name) { return make_attention_backend(name, {}); }

TEST(ReferenceAttention, IsTheFormula) {
    for (const auto kind : kKinds) {
        const auto in = input_of(kind, 4, 6, torch::kDouble);
        const auto out = backend("reference")->forward(in);
        for (int b = 0; b < 2; ++b) {
            for (int h = 0; h < 3; ++h) {
                for (int i = 0; i < 4; ++i) {
                    std::vector<double> weights;
                    double total = 0;
                    for (int j = 0; j <= i + 2; ++j) {
                        const int distance = i + 2 - j;
                        double score = in.q[b][h][i].dot(in.k[b][h][j]).item<double>() / std::sqrt(8.0);
                        if (kind == Kind::slopes) score -= std::exp2(-(h + 1)) * distance;
                        if (kind == Kind::table) score += in.bias.table[h][std::min(distance, 6)].item<double>();
                        weights.push_back(std::exp(score));
                        total += weights.back();
                    }
                    for (int d = 0; d < 8; ++d) {
                        double value = 0;
                        for (std::size_t j = 0; j < weights.size(); ++j) {
                            value += weights[j] / total * in.v[b][h][static_cast<int>(j)][d].item<double>();
                        }
                        ASSERT_NEAR(out[b][h][i][d].item<double>(), value, 1e-12);
                    }
                }
            }
        }
    }
}

TEST(SdpaAttention, EqualsTheReferenceWithoutGradients) {
    const torch::NoGradGuard no_grad;
    for (const auto& [type, tolerance] :
         {std::pair{torch::kDouble, 1e-12}, {torch::kFloat, 2e-6}, {torch::kBFloat16, 3e-2}}) {
        for (const auto kind : kKinds) {
            const auto sdpa = backend("sdpa");
            for (const auto& [rows, columns] : kLengths) {
                SCOPED_TRACE(testing::Message()
                             << toString(type) << " kind " << static_cast<int>(kind) << " " << rows << "x" << columns);
                const auto in = input_of(kind, rows, columns, type);
                const auto out = sdpa->forward(in);
                EXPECT_EQ(out.scalar_type(), type);
                ASSERT_EQ(out.sizes(), in.q.sizes());
                EXPECT_LT(largest_difference(out, backend("reference")->forward(in)), tolerance);
            }
        }
    }
}

TEST(SdpaAttention, KeepsItsMaskForTheSameSlopesOnly) {
    // One back-end serves windows that grow and shrink with one tensor of slopes. Every answer must be right although
    // the mask is reused, and other slopes must not be served with the old mask.
    const torch::NoGradGuard no_grad;
    const auto sdpa = backend("sdpa");
    auto bias = bias_of(Kind::slopes, 3, torch::kDouble);
    for (const std::int64_t columns : {20, 21, 22, 400, 7, 300}) {
        for (const std::int64_t rows : {std::int64_t{1}, columns}) {
            auto in = input_of(Kind::none, rows, columns, torch::kDouble);
            in.bias = bias;
            EXPECT_LT(largest_difference(sdpa->forward(in), backend("reference")->forward(in)), 1e-12)
                << rows << "x" << columns;
        }
    }
    auto in = input_of(Kind::slopes, 7, 7, torch::kDouble);
    in.bias.slopes.mul_(3);
    EXPECT_LT(largest_difference(sdpa->forward(in), backend("reference")->forward(in)), 1e-12);
}

TEST(SdpaAttention, GradientsEqualTheReferences) {
    for (const auto kind : kKinds) {
        SCOPED_TRACE(static_cast<int>(kind));
        const auto in = input_of(kind, 9, 9, torch::kDouble, true);
        std::vector<at::Tensor> inputs = {in.q, in.k, in.v};
        if (in.bias.table.defined()) inputs.push_back(in.bias.table);
        const auto weight = torch::randn_like(in.q);
        AttentionScratch scratch;
        auto shared = in;
        shared.scratch = &scratch;
        const auto expected = torch::autograd::grad({backend("reference")->forward(in).mul(weight).sum()}, inputs);
        // Twice over the same scratch, like two layers of one pass.
        const auto sdpa = backend("sdpa");
        const auto out = sdpa->forward(shared).add(sdpa->forward(shared)).mul(weight).sum();
        const auto found = torch::autograd::grad({out}, inputs);
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            EXPECT_LT(largest_difference(found[i], expected[i].mul(2)), 1e-11) << i;
        }
    }
}

TEST(SdpaAttention, AutocastDoesNotRoundTheBias) {
    const torch::NoGradGuard no_grad;
    const auto in = input_of(Kind::slopes, 200, 200, torch::kBFloat16);
    const auto plain = backend("sdpa")->forward(in);
    at::autocast::set_autocast_enabled(at::kCPU, true);
    const auto cast = backend("sdpa")->forward(in);
    at::autocast::set_autocast_enabled(at::kCPU, false);
    EXPECT_TRUE(plain.equal(cast));
}

TEST(Dropout, ProbabilitiesAreDroppedAndScaled) {
    // With equal scores and v = 1, each output is the sum of the kept weights: 1 on average, and 0 or 2 for row 0,
    // which has one key.
    for (const std::string name : {"reference", "sdpa", "fused"}) {
        torch::manual_seed(1);
        AttentionInput in;
        in.q = in.k = torch::zeros({64, 2, 16, 8});
        in.v = torch::ones({64, 2, 16, 8});
        in.dropout = 0.5;
        const auto out = backend(name)->forward(in).select(3, 0);
        EXPECT_NEAR(out.mean().item<double>(), 1.0, 0.05) << name;
        const auto first = out.select(2, 0);
        EXPECT_TRUE(first.eq(0).logical_or(first.eq(2)).all().item<bool>()) << name;
        EXPECT_NEAR(first.mean().item<double>(), 1.0, 0.3) << name;
    }
}

TEST(FusedBackend, EqualsTheReferenceWithItsGradients) {
    for (const auto kind : kKinds) {
        for (const auto& [rows, columns] : kLengths) {
            SCOPED_TRACE(testing::Message() << "kind " << static_cast<int>(kind) << " " << rows << "x" << columns);
            const auto in = input_of(kind, rows, columns, torch::kFloat, true);
            std::vector<at::Tensor> inputs = {in.q, in.k, in.v};
            if (in.bias.table.defined()) inputs.push_back(in.bias.table);
            const auto weight = torch::randn_like(in.q);
            const auto expected = backend("reference")->forward(in);
            const auto found = backend("fused")->forward(in);
            EXPECT_LT(largest_difference(found, expected), 4e-6);
            const auto wanted_gradients = torch::autograd::grad({expected}, inputs, {weight});
            const auto gradients = torch::autograd::grad({found}, inputs, {weight});
            for (std::size_t i = 0; i < inputs.size(); ++i) {
                EXPECT_LT(largest_difference(gradients[i], wanted_gradients[i]), 1e-4) << i;
            }
        }
    }
}

TEST(FusedBackend, AutocastDoesNotRoundTheBias) {
    const torch::NoGradGuard no_grad;
    const auto in = input_of(Kind::slopes, 200, 200, torch::kBFloat16);
    const auto plain = backend("fused")->forward(in);
    at::autocast::set_autocast_enabled(at::kCPU, true);
    const auto cast = backend("fused")->forward(in);
    at::autocast::set_autocast_enabled(at::kCPU, false);
    EXPECT_TRUE(plain.equal(cast));
}

TEST(FusedBackend, DropoutIsDrawnFromTheDefaultGenerator) {
    auto in = input_of(Kind::none, 30, 30, torch::kFloat);
    in.dropout = 0.5;
    const auto fused = backend("fused");
    torch::manual_seed(1);
    const auto first = fused->forward(in);
    const auto second = fused->forward(in);
    torch::manual_seed(1);
    EXPECT_TRUE(fused->forward(in).equal(first));
    EXPECT_FALSE(second.equal(first));
}

TEST(Choice, AutoTakesTheFastestThatServes) {
    AttentionRequest request;
    request.head_dim = 32;
    EXPECT_EQ(make_attention_backend("auto", request)->name(), "fused");
    request.device = "cuda:0";
    EXPECT_EQ(make_attention_backend("auto", request)->name(), "sdpa") << "until the CUDA kernels have run on GPUs";
    request.device = "cpu";
    request.head_dim = 20;
    EXPECT_EQ(make_attention_backend("auto", request)->name(), "sdpa");
    request.head_dim = 32;
    request.dtype = DType::fp64;
    EXPECT_EQ(make_attention_backend("auto", request)->name(), "sdpa");
    auto names = attention_backend_names();
    ASSERT_GE(names.size(), 3U);
    names.resize(3);  // a user's own come behind these, registration_test.cpp's among them
    EXPECT_THAT(names, testing::ElementsAre("fused", "sdpa", "reference"));
}

TEST(Choice, WhatCannotServeIsAnErrorThatNamesTheOthers) {
    AttentionRequest request;
    const auto message = [&](const std::string& name) -> std::string {
        try {
            make_attention_backend(name, request);
        } catch (const ConfigError& error) {
            return error.what();
        }
        return "no error";
    };
    EXPECT_THAT(message("flash"), testing::HasSubstr("auto, fused, sdpa, reference"));
    request.head_dim = 20;
    EXPECT_THAT(message("fused"), testing::AllOf(testing::HasSubstr("multiples of 8"),
                                                 testing::HasSubstr("these can serve it: auto, sdpa, reference")));
    request.head_dim = 32;
    request.dtype = DType::fp64;
    EXPECT_THAT(message("fused"), testing::HasSubstr("fp64"));
}

TEST(DenseBias, RightAlignedCausalAndDifferentiable) {
    BiasSpec spec;
    spec.table = torch::arange(6, torch::kDouble).view({2, 3}).requires_grad_(true);
    const auto dense = dense_bias(spec, 2, 4, torch::kDouble);
    ASSERT_EQ(dense.sizes(), at::IntArrayRef({1, 2, 2, 4}));
    const double inf = std::numeric_limits<double>::infinity();
    EXPECT_TRUE(dense[0][0].equal(torch::tensor({{2.0, 1.0, 0.0, -inf}, {2.0, 2.0, 1.0, 0.0}}, torch::kDouble)));
    dense.masked_fill(dense.isinf(), 0).sum().backward();
    EXPECT_TRUE(spec.table.grad()[1].equal(torch::tensor({2.0, 2.0, 3.0}, torch::kDouble)));
}

}  // namespace
}  // namespace longbow
