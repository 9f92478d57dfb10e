// Tests what the options of rotary positions do beside the numbers of the golden files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>

#include "longbow/core/error.h"
#include "longbow/position/position_method.h"
#include "position/rotary_scaling.h"
#include "unit/error_of.h"

namespace longbow {
namespace {

using testing::HasSubstr;

std::shared_ptr<PositionMethod> rotary(OptionMap options, std::int64_t head_dim = 12) {
    return make_position_method("rotary", {2, 2 * head_dim, 2, 16, std::move(options), head_dim});
}

struct Form {
    const char* pairs;
    std::int64_t dim;
};

class RotaryForms : public testing::TestWithParam<Form> {};
INSTANTIATE_TEST_SUITE_P(Rotary, RotaryForms,
                         testing::Values(Form{"interleaved", 0}, Form{"interleaved", 8}, Form{"halves", 0},
                                         Form{"halves", 8}, Form{"halves", 2}, Form{"interleaved", 2}));

// Queries as a projection to q, k and v leaves them: [batch, heads, length, head_dim] of a wider matrix.
at::Tensor projected(std::int64_t part) {
    return torch::randn({2, 7, 3, 2, 12}, torch::kDouble).select(2, part).transpose(1, 2);
}

TEST_P(RotaryForms, TheGradientIsTheInverseRotation) {
    const auto method = rotary({{"pairs", std::string(GetParam().pairs)}, {"dim", GetParam().dim}});
    const auto positions = torch::arange(3, 10);
    const auto turn = [&](const at::Tensor& x) {
        return method->rotate({.evaluated_length = 10, .positions = positions, .q = x, .k = x}).q;
    };
    const auto q = projected(0).requires_grad_(true), weight = torch::randn({2, 2, 7, 12}, torch::kDouble);
    turn(q).mul(weight).sum().backward();
    EXPECT_LT(turn(q.grad()).sub(weight).abs().max().item<double>(), 1e-12);
    // A sum's gradient is one number for all elements, without memory of its own.
    const auto other = projected(1).requires_grad_(true);
    turn(other).sum().backward();
    EXPECT_LT(turn(other.grad()).sub(1).abs().max().item<double>(), 1e-12);
}

TEST_P(RotaryForms, TheRestOfAHeadAndItsNormsStay) {
    const auto dim = GetParam().dim == 0 ? 12 : GetParam().dim;
    const auto method = rotary({{"pairs", std::string(GetParam().pairs)}, {"dim", GetParam().dim}});
    const auto positions = torch::arange(7);
    const auto q = projected(0), k = projected(1);
    const auto found = method->rotate({.evaluated_length = 7, .positions = positions, .q = q, .k = k});
    EXPECT_TRUE(found.q.slice(3, dim).equal(q.slice(3, dim)));
    EXPECT_TRUE(found.q.slice(2, 0, 1).equal(q.slice(2, 0, 1))) << "position 0";
    EXPECT_LT(found.q.norm(2, 3).sub(q.norm(2, 3)).abs().max().item<double>(), 1e-12);
    EXPECT_FALSE(found.k.slice(3, 0, dim).slice(2, 1).equal(k.slice(3, 0, dim).slice(2, 1)));
    const auto half = method->rotate(
        {.evaluated_length = 7, .positions = positions, .q = q.to(torch::kBFloat16), .k = k.to(torch::kBFloat16)});
    EXPECT_EQ(half.q.scalar_type(), torch::kBFloat16);
    EXPECT_LT(half.q.to(torch::kDouble).sub(found.q).abs().max().item<double>(), 0.05);
}

TEST(Rotary, AHeadOfKeysForSeveralOfQueries) {
    const auto method = rotary({{"pairs", std::string("halves")}});
    const auto positions = torch::arange(7);
    const auto q = torch::randn({2, 4, 7, 12}), k = q.slice(1, 1, 2);
    const auto found = method->rotate({.evaluated_length = 7, .positions = positions, .q = q, .k = k});
    EXPECT_TRUE(found.k.equal(found.q.slice(1, 1, 2)));
}

TEST(Rotary, DynamicBaseFollowsTheWindow) {
    const auto method = rotary({{"scaling", std::string("dynamic")}, {"factor", 2.0}});
    EXPECT_TRUE(method->depends_on_length());
    const auto plain = rotary({});
    EXPECT_FALSE(plain->depends_on_length());
    const auto positions = torch::arange(5);
    const auto q = torch::randn({1, 2, 5, 12}, torch::kDouble);
    const auto of = [&](PositionMethod& one, std::int64_t length) {
        return one.rotate({.evaluated_length = length, .positions = positions, .q = q, .k = q}).q;
    };
    const auto trained = of(*plain, 16);
    EXPECT_TRUE(of(*method, 16).equal(trained)) << "up to the trained length nothing changes";
    const auto longer = of(*method, 17), longest = of(*method, 64);
    EXPECT_FALSE(longer.equal(trained));
    EXPECT_FALSE(longest.equal(longer));
    EXPECT_TRUE(of(*method, 17).equal(longer)) << "and it forgets what it has seen";
    // A single pair turns by 1 at every base.
    const auto pair = rotary({{"scaling", std::string("dynamic")}, {"dim", std::int64_t{2}}});
    EXPECT_TRUE(of(*pair, 64).isfinite().all().item<bool>());
}

TEST(Rotary, FactorOfYarn) {
    RotarySettings s;
    s.scaling = RotaryScaling::yarn;
    s.factor = 4;
    EXPECT_DOUBLE_EQ(rotary_attention_factor(s), 0.1 * std::log(4.0) + 1);
    s.mscale = 0.5;
    s.mscale_all_dim = 2;
    EXPECT_DOUBLE_EQ(rotary_attention_factor(s), (0.05 * std::log(4.0) + 1) / (0.2 * std::log(4.0) + 1));
    s.attention_factor = 1.25;
    EXPECT_EQ(rotary_attention_factor(s), 1.25);
    s.scaling = RotaryScaling::llama3;
    EXPECT_EQ(rotary_attention_factor(s), 1.0);
}

TEST(Rotary, WhatCannotBe) {
    const auto refusal = [](OptionMap options, std::int64_t head_dim = 12) {
        return test::error_of([&] { (void)rotary(std::move(options), head_dim); });
    };
    EXPECT_THAT(refusal({{"scaling", std::string("ntk")}}), HasSubstr("\"ntk\" is not supported"));
    EXPECT_THAT(refusal({{"dim", std::int64_t{14}}}),
                HasSubstr("a head has 12 elements, so that 14 cannot be rotated"));
    EXPECT_THAT(refusal({{"dim", std::int64_t{5}}}), HasSubstr("position.dim must be even, not 5"));
    EXPECT_THAT(refusal({}, 7), HasSubstr("must be even, not 7"));
    EXPECT_THAT(refusal({{"scaling", std::string("llama3")}, {"low_freq_factor", 4.0}}),
                HasSubstr("position.high_freq_factor: must be above"));
    EXPECT_THAT(refusal({{"scaling", std::string("yarn")}, {"beta_fast", 0.5}}), HasSubstr("position.beta_fast"));
    const auto longrope = [&](const char* short_factors, const char* long_factors, std::int64_t length = 8) {
        return refusal({{"scaling", std::string("longrope")},
                        {"dim", std::int64_t{6}},
                        {"original_length", length},
                        {"short_factors", std::string(short_factors)},
                        {"long_factors", std::string(long_factors)}});
    };
    EXPECT_THAT(longrope("", "1,2,3"), HasSubstr("position.short_factors: with position.scaling: longrope it needs 3"));
    EXPECT_THAT(longrope("1,2,3", "1, 2"), HasSubstr("position.long_factors"));
    EXPECT_THAT(longrope("1,2,3", "1, 2"), HasSubstr("it has 2"));
    EXPECT_THAT(longrope("1,two,3", "1,2,3"), HasSubstr("position.short_factors: \"two\" is not a number above 0"));
    EXPECT_THAT(longrope("1,2,3", "1,,3"), HasSubstr("position.long_factors: \"\" is not"));
    EXPECT_THAT(longrope("1,0,3", "1,2,3"), HasSubstr("\"0\" is not a number above 0"));
    EXPECT_THAT(longrope("1,2,3", "1,2,3", 1), HasSubstr("position.original_length: must be above 1"));
}

}  // namespace
}  // namespace longbow
