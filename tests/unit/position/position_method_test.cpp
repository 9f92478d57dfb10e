// Tests each method's numbers, and the registry: a method that only this file registers works like the built-in ones.
#include "longbow/position/position_method.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>

#include "longbow/core/error.h"
#include "position/alibi.h"
#include "position/sinusoidal.h"
#include "position/t5.h"

namespace longbow {
namespace {

PositionContext context_of(std::int64_t dim = 16, std::int64_t heads = 2, OptionMap options = {}) {
    return {2, dim, heads, 8, std::move(options)};
}

Rotated rotated(PositionMethod& method, const at::Tensor& q, const at::Tensor& k, const at::Tensor& positions) {
    return method.rotate({.positions = positions, .q = q, .k = k});
}

// ---- the registry ----

// What a user writes for a new method: a class, its options, its registration. Nothing else in the program knows of it.
class LogDistance : public PositionMethod {
public:
    explicit LogDistance(const PositionContext& context)
        : strength_(option_double(context.options, "strength")), heads_(context.heads) {}
    BiasSpec bias(const PositionCall&) override {
        BiasSpec spec;
        spec.table = torch::arange(10, torch::kDouble).add(1).log().mul(-strength_).expand({heads_, 10});
        return spec;
    }

private:
    double strength_;
    std::int64_t heads_;
};

LONGBOW_REGISTER_POSITION({"log_distance",
                           "a test's own method",
                           {{"strength", 2.0, "factor", {}, 0.0, {}}},
                           [](const PositionContext& context) { return std::make_shared<LogDistance>(context); }});

// A method whose registration does not say what kind of bias it has.
class SilentSlopes : public PositionMethod {
public:
    explicit SilentSlopes(const PositionContext& context) : slopes_(torch::ones({context.heads})) {}
    BiasSpec bias(const PositionCall&) override { return {.slopes = slopes_}; }

private:
    at::Tensor slopes_;
};

TEST(Registry, KnowsTheBuiltInMethodsAndThisFiles) {
    std::vector<std::string> names;
    for (const auto& entry : position_methods()) {
        names.push_back(entry.name);
        EXPECT_FALSE(entry.help.empty()) << entry.name;
    }
    // There may be more: methods of the user's own.
    EXPECT_THAT(names,
                testing::IsSupersetOf({"alibi", "learned", "log_distance", "none", "rotary", "sinusoidal", "t5"}));
    EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
}

TEST(Registry, AMethodAddedHereIsMadeWithItsDefaultsAndOptions) {
    EXPECT_NEAR(make_position_method("log_distance", context_of())->bias({}).table[1][1].item<double>(),
                -2 * std::log(2), 1e-12);
    const auto given = make_position_method("log_distance", context_of(16, 2, {{"strength", 5.0}}));
    EXPECT_NEAR(given->bias({}).table[1][1].item<double>(), -5 * std::log(2), 1e-12);
}

TEST(Registry, AnUnknownNameIsAnErrorWithTheNearest) {
    try {
        make_position_method("aliby", context_of());
        FAIL() << "no error";
    } catch (const ConfigError& error) {
        EXPECT_THAT(error.what(), testing::HasSubstr("did you mean \"alibi\""));
        EXPECT_THAT(error.what(), testing::HasSubstr("sinusoidal"));
    }
}

TEST(Registry, SlopesAreDeclared) {
    for (const auto& entry : position_methods()) {
        if (entry.name == "silent_slopes") continue;  // registered by the test itself, below
        const auto method = make_position_method(entry.name, context_of());
        if (!method->parts_from_data(0).empty()) continue;
        EXPECT_TRUE(entry.slopes || !method->bias({}).slopes.defined()) << entry.name;
        if (entry.name == "alibi" || entry.name == "t5") {
            EXPECT_EQ(entry.slopes, entry.name == "alibi");
        }
    }
    const auto make = [](const PositionContext& context) { return std::make_shared<SilentSlopes>(context); };
    static const bool registered =  // once per process, however often the test runs
        register_position_method({"silent_slopes", "a test's own", {}, make}) &&
        register_position_method({"said_slopes", "a test's own", {}, make, true});
    EXPECT_TRUE(registered);
    EXPECT_THROW(make_position_method("silent_slopes", context_of()), ConfigError);
    EXPECT_NO_THROW(make_position_method("said_slopes", context_of()));
}

TEST(Registry, ANameCannotBeTakenTwice) { EXPECT_THROW(register_position_method({"alibi", "", {}, {}}), ConfigError); }

// ---- alibi ----

TEST(Alibi, SlopesOfThePaper) {
    // Section 3: 8 heads have 1/2 .. 1/256; 16 heads start at 2^-0.5.
    EXPECT_THAT(alibi_slopes(8, SlopeRule::authors),
                testing::ElementsAre(1.0 / 2, 1.0 / 4, 1.0 / 8, 1.0 / 16, 1.0 / 32, 1.0 / 64, 1.0 / 128, 1.0 / 256));
    EXPECT_DOUBLE_EQ(alibi_slopes(16, SlopeRule::authors).front(), std::exp2(-0.5));
    EXPECT_DOUBLE_EQ(alibi_slopes(16, SlopeRule::authors).back(), 1.0 / 256);
}

TEST(Alibi, TwelveHeadsInterleaveAsTheAuthorsDo) {
    const auto slopes = alibi_slopes(12, SlopeRule::authors);
    ASSERT_EQ(slopes.size(), 12U);
    for (int i = 0; i < 8; ++i) {
        EXPECT_DOUBLE_EQ(slopes[i], std::exp2(-(i + 1)));
    }
    for (int i = 0; i < 4; ++i) {
        EXPECT_DOUBLE_EQ(slopes[8 + i], std::exp2(-(i + 0.5)));
    }
    for (int i = 0; i < 12; ++i) {
        EXPECT_DOUBLE_EQ(alibi_slopes(12, SlopeRule::geometric)[i], std::exp2(-8.0 * (i + 1) / 12));
    }
}

TEST(Alibi, AnyNumberOfHeads) {
    for (std::int64_t heads = 1; heads <= 128; ++heads) {
        for (const auto rule : {SlopeRule::authors, SlopeRule::geometric}) {
            const auto slopes = alibi_slopes(heads, rule);
            EXPECT_EQ(slopes.size(), static_cast<std::size_t>(heads));
            EXPECT_THAT(slopes, testing::Each(testing::AllOf(testing::Gt(0.0), testing::Lt(1.0))));
        }
    }
}

TEST(Alibi, FalconsRounding) {
    const double scale = 1 / std::sqrt(8.0);
    const OptionMap options = {{"rounding", std::string("falcon")}, {"slope_scale", scale}};
    const auto method = make_position_method("alibi", context_of(96, 12, options));
    const auto bias = method->bias({.evaluated_length = 3000, .keys = 2500});
    EXPECT_EQ(bias.parts(), BiasParts{BiasPart::places});
    ASSERT_EQ(bias.column.sizes(), at::IntArrayRef({1, 12, 2500}));
    const auto slopes = alibi_slopes(12, SlopeRule::authors);
    const auto rounded = [](double x) { return static_cast<float>(c10::BFloat16(static_cast<float>(x))); };
    std::int64_t inexact = 0;
    for (std::int64_t head = 0; head < 12; ++head) {
        for (std::int64_t key = 0; key < 2500; key += 7) {
            const double product = rounded(rounded(slopes[head]) * rounded(static_cast<double>(key)));
            ASSERT_DOUBLE_EQ(bias.column[0][head][key].item<double>(), product * scale) << head << " " << key;
            inexact += product != slopes[head] * static_cast<double>(key) ? 1 : 0;
        }
    }
    EXPECT_GT(inexact, 1000) << "rounding matters";
    // A generation asks for one key more each time, and gets the values that it got before.
    const auto longer = method->bias({.evaluated_length = 3000, .keys = 2501}).column;
    EXPECT_TRUE(longer.narrow(2, 0, 2500).equal(bias.column));
    EXPECT_TRUE(method->bias({.keys = 3}).column.equal(bias.column.narrow(2, 0, 3)));
    EXPECT_FALSE(method->depends_on_length());
}

// ---- sinusoidal ----

TEST(Sinusoidal, HalvesWithDivisorHalfMinusOneFromRowTwo) {
    const auto rows = sinusoidal_rows(torch::arange(5), 8);
    ASSERT_EQ(rows.sizes(), at::IntArrayRef({5, 8}));
    for (int position = 0; position < 5; ++position) {
        for (int k = 0; k < 4; ++k) {
            const double angle = (position + 2) * std::exp(-k * std::log(10000.0) / 3);
            EXPECT_NEAR(rows[position][k].item<double>(), std::sin(angle), 1e-12);
            EXPECT_NEAR(rows[position][4 + k].item<double>(), std::cos(angle), 1e-12);
        }
    }
}

TEST(Sinusoidal, OddDimensionsEndWithZero) {
    const auto rows = sinusoidal_rows(torch::arange(3), 9);
    ASSERT_EQ(rows.size(1), 9);
    EXPECT_TRUE(rows.select(1, 8).eq(0).all().item<bool>());
    EXPECT_TRUE(rows.slice(1, 0, 8).equal(sinusoidal_rows(torch::arange(3), 8)));
}

TEST(Sinusoidal, AddsTheRowsOfEachWindow) {
    const auto method = make_position_method("sinusoidal", context_of());
    const auto x = torch::zeros({2, 4, 16}, torch::kDouble);
    for (const std::int64_t begin : {0, 7, 0}) {
        const auto positions = torch::arange(begin, begin + 4);
        EXPECT_TRUE(method->embed(x, {.positions = positions})[1].equal(sinusoidal_rows(positions, 16)));
    }
}

// ---- rotary ----

TEST(Rotary, TurnsInterleavedPairs) {
    const auto method = make_position_method("rotary", context_of(16, 2, {{"base", 100.0}}));
    const auto q = torch::randn({2, 2, 5, 8}, torch::kDouble), k = torch::randn({2, 2, 5, 8}, torch::kDouble);
    const auto positions = torch::arange(3, 8);
    const auto turned = rotated(*method, q, k, positions);
    for (int t = 0; t < 5; ++t) {
        for (int pair = 0; pair < 4; ++pair) {
            const double angle = (t + 3) * std::pow(100.0, -2.0 * pair / 8);
            for (const auto& [before, after] : {std::pair{q, turned.q}, std::pair{k, turned.k}}) {
                const auto a = before[1][1][t][2 * pair].item<double>(),
                           b = before[1][1][t][2 * pair + 1].item<double>();
                EXPECT_NEAR(after[1][1][t][2 * pair].item<double>(), a * std::cos(angle) - b * std::sin(angle), 1e-12);
                EXPECT_NEAR(after[1][1][t][2 * pair + 1].item<double>(), a * std::sin(angle) + b * std::cos(angle),
                            1e-12);
            }
        }
    }
}

TEST(Rotary, ScoresDependOnTheDistanceAlone) {
    const auto method = make_position_method("rotary", context_of());
    const auto q = torch::randn({1, 2, 6, 8}, torch::kDouble), k = torch::randn({1, 2, 6, 8}, torch::kDouble);
    const auto scores = [&](std::int64_t begin) {
        const auto turned = rotated(*method, q, k, torch::arange(begin, begin + 6));
        return turned.q.matmul(turned.k.transpose(2, 3));
    };
    EXPECT_LT(scores(0).sub(scores(1000)).abs().max().item<double>(), 1e-10);
}

TEST(Rotary, GradientsAreTheInverseRotation) {
    const auto method = make_position_method("rotary", context_of());
    const auto q = torch::randn({1, 2, 6, 8}, torch::kDouble).requires_grad_(true);
    const auto weight = torch::randn({1, 2, 6, 8}, torch::kDouble);
    const auto positions = torch::arange(6);
    rotated(*method, q, q.detach(), positions).q.mul(weight).sum().backward();
    // A rotation's transpose is its inverse, so rotating the gradient forward again must give the weight back.
    EXPECT_LT(rotated(*method, q.grad(), weight, positions).q.sub(weight).abs().max().item<double>(), 1e-12);
}

TEST(Rotary, HalfPrecisionIsRoundedOnlyOnce) {
    const auto method = make_position_method("rotary", context_of());
    const auto q = torch::randn({1, 2, 6, 8}).to(torch::kBFloat16);
    const auto positions = torch::arange(4000, 4006);
    const auto exact = rotated(*method, q.to(torch::kDouble), q.to(torch::kDouble), positions).q;
    const auto rounded = rotated(*method, q, q, positions).q;
    EXPECT_EQ(rounded.scalar_type(), torch::kBFloat16);
    EXPECT_LT(rounded.to(torch::kDouble).sub(exact).abs().max().item<double>(), 0.02);
}

// ---- t5 ----

TEST(T5, BucketsByHand) {
    const auto buckets = t5_buckets(200, 32, 128);
    const auto of = [&](int distance) { return buckets[distance].item<int>(); };
    for (int distance = 0; distance < 16; ++distance) {
        EXPECT_EQ(of(distance), distance);
    }
    EXPECT_EQ(of(16), 16);
    EXPECT_EQ(of(32), 21);  // 16 + floor(ln 2 / ln 8 * 16)
    EXPECT_EQ(of(64), 26);
    EXPECT_EQ(of(112), 30);
    EXPECT_EQ(of(113), 31);
    EXPECT_EQ(of(199), 31);
}

TEST(T5, TableFollowsTheWeightsAndGivesThemGradients) {
    const auto method = make_position_method("t5", context_of());
    const auto bias = method->bias({});
    ASSERT_EQ(bias.parts(), BiasParts{BiasPart::table});
    ASSERT_EQ(bias.table.sizes(), at::IntArrayRef({2, 129}));
    const auto weight = method->parameters().front();
    ASSERT_EQ(weight.sizes(), at::IntArrayRef({32, 2}));
    EXPECT_TRUE(bias.table.select(1, 128).equal(weight[31]));
    EXPECT_TRUE(bias.table.select(1, 5).equal(weight[5]));
    bias.table.sum().backward();
    EXPECT_EQ(weight.grad()[5][0].item<float>(), 1.0F);
    EXPECT_EQ(weight.grad()[31][1].item<float>(), 129 - 113);
}

TEST(T5, OneTableALayerWhenNotShared) {
    const auto method =
        make_position_method("t5", context_of(16, 2, {{"shared", false}, {"init", std::string("zeros")}}));
    EXPECT_TRUE(method->bias_differs_by_layer());
    EXPECT_EQ(method->parameters().front().sizes(), at::IntArrayRef({2, 32, 2}));
    EXPECT_TRUE(method->bias({.layer = 1}).table.eq(0).all().item<bool>());
    EXPECT_THROW(make_position_method("t5", context_of(16, 2, {{"max_distance", std::int64_t{16}}})), ConfigError);
}

// ---- learned, none ----

TEST(Learned, AddsItsRowsAndEndsWithThem) {
    const auto method = make_position_method("learned", context_of());
    EXPECT_EQ(method->max_length(), 8);
    const auto out = method->embed(torch::zeros({1, 3, 16}), {.positions = torch::arange(2, 5)});
    EXPECT_TRUE(out[0].equal(method->parameters().front().slice(0, 2, 5)));
    EXPECT_EQ(make_position_method("learned", context_of(16, 2, {{"max_length", std::int64_t{20}}}))->max_length(), 20);
    EXPECT_THROW(make_position_method("learned", context_of(16, 2, {{"max_length", std::int64_t{4}}})), ConfigError);
}

TEST(Learned, UnusedRowsComeFirst) {
    const auto method = make_position_method("learned", context_of(16, 2, {{"offset", std::int64_t{2}}}));
    EXPECT_EQ(method->max_length(), 8);
    const auto table = method->parameters().front();
    ASSERT_EQ(table.sizes(), at::IntArrayRef({10, 16}));
    const auto out = method->embed(torch::zeros({1, 8, 16}), {.positions = torch::arange(8)});
    EXPECT_TRUE(out[0].equal(table.slice(0, 2)));
}

TEST(None, ChangesNothing) {
    const auto method = make_position_method("none", context_of());
    const auto x = torch::randn({1, 3, 16});
    EXPECT_TRUE(method->embed(x, {.positions = torch::arange(3)}).is_same(x));
    EXPECT_TRUE(method->bias({}).parts().empty());
    EXPECT_TRUE(method->parameters().empty());
}

}  // namespace
}  // namespace longbow
