// Tests the bias in types that cannot hold it: it is rounded once, and the back-end says so.
#include <gtest/gtest.h>
#include <torch/types.h>

#include "longbow/attention/attention_backend.h"

namespace longbow {
namespace {

BiasSpec slopes_of(c10::Device device) {
    BiasSpec bias;
    bias.slopes = torch::tensor({0.7F, 0.11F, 0.003F}).to(device);  // no bf16 numbers
    return bias;
}

TEST(RoundedBias, IsRoundedOnce) {
    const auto bias = slopes_of(c10::kCPU);
    constexpr std::int64_t kLength = 2100;  // a distance of more than 256 is no bf16 number, of more than 2048 no fp16
    const auto exact = dense_bias(bias, 3, kLength, torch::kFloat);
    for (const auto type : {torch::kBFloat16, torch::kHalf})
        EXPECT_TRUE(dense_bias(bias, 3, kLength, type).equal(exact.to(type))) << type;
}

// Returns the largest error of an output of causal attention with ALiBi's slopes for 16 heads, relative to the largest
// output of its head, if the bias is rounded to `type` and nothing else.
double error_of_rounding(at::ScalarType type) {
    constexpr std::int64_t kLength = 512;
    torch::manual_seed(1);
    const auto random = [] { return torch::randn({1, 16, kLength, 64}, torch::kDouble); };
    const auto q = random(), k = random(), v = random();
    BiasSpec bias;
    bias.slopes = torch::arange(1, 17, torch::kDouble).mul(-0.5).exp2();
    const auto scores = q.matmul(k.transpose(2, 3)).div(8.0);
    const auto with = [&](const at::Tensor& dense) { return scores.add(dense).softmax(-1).matmul(v); };
    const auto exact = with(dense_bias(bias, kLength, kLength, torch::kDouble));
    const auto rounded = with(dense_bias(bias, kLength, kLength, type).to(torch::kDouble));
    return rounded.sub(exact).abs().amax({2, 3}).div(exact.abs().amax({2, 3})).max().item<double>();
}

// docs/attention.md has these errors.
TEST(RoundedBias, CostsLittle) {
    const double bf16 = error_of_rounding(torch::kBFloat16), fp16 = error_of_rounding(torch::kHalf);
    EXPECT_GT(bf16, 1e-3);
    EXPECT_LT(bf16, 3e-3);
    EXPECT_LT(fp16, 3e-4);
}

std::string rounded_by(const std::string& backend, BiasSpec bias, at::ScalarType type, c10::Device device) {
    AttentionRequest request;
    request.head_dim = 8;
    request.bias = bias.parts();
    const auto attention = make_attention_backend(backend, request);
    AttentionInput in;
    in.q = in.k = in.v = torch::zeros({1, 3, 5, 8}, torch::TensorOptions().dtype(type).device(device));
    in.bias = std::move(bias);
    try {
        attention->forward(in);
    } catch (const c10::Error&) {
        // PyTorch's softmax of tensors without data is refused. The mask has been made before that.
        EXPECT_TRUE(device == c10::kMeta);
    }
    return attention->rounded_bias();
}

// Tensors without data stand for a GPU's: they too are not on the CPU, whose kernels alone take an fp32 mask.
TEST(RoundedBias, IsToldWhereItHappens) {
    const auto there = slopes_of(c10::kMeta), here = slopes_of(c10::kCPU);
    EXPECT_EQ(rounded_by("sdpa", there, torch::kBFloat16, c10::kMeta), "bf16");
    EXPECT_EQ(rounded_by("sdpa", there, torch::kHalf, c10::kMeta), "fp16");
    EXPECT_EQ(rounded_by("sdpa", there, torch::kFloat, c10::kMeta), "");
    EXPECT_EQ(rounded_by("sdpa", BiasSpec{}, torch::kBFloat16, c10::kMeta), "");
    EXPECT_EQ(rounded_by("sdpa", here, torch::kBFloat16, c10::kCPU), "");
    EXPECT_EQ(rounded_by("fused", here, torch::kBFloat16, c10::kCPU), "");
    EXPECT_EQ(rounded_by("reference", here, torch::kBFloat16, c10::kCPU), "");
}

}  // namespace
}  // namespace longbow
