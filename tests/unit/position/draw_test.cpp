// Tests positions that are drawn.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "longbow/core/error.h"
#include "longbow/position/draw.h"
#include "longbow/position/position_method.h"
#include "position/sinusoidal.h"
#include "unit/error_of.h"
#include "unit/position/plain_attention.h"

namespace longbow {
namespace {

using testing::HasSubstr;

std::shared_ptr<PositionMethod> make(const std::string& method, const char* draw, OptionMap options = {}) {
    options["draw"] = std::string(draw);
    options.emplace("draw_max", std::int64_t{50});
    return make_position_method(method, {2, 16, 2, 16, std::move(options)});
}

TEST(Draw, RisesWithinItsRange) {
    for (const auto* form : {"integers", "floats"}) {
        const auto method = make("rotary", form);
        for (const bool training : {false, true}) {
            for (const std::int64_t length : {1, 7, 50}) {
                const auto positions = method->draw_positions(length, training);
                ASSERT_EQ(positions.sizes(), at::IntArrayRef({length}));
                EXPECT_TRUE(positions.slice(0, 1).gt(positions.slice(0, 0, length - 1)).all().item<bool>());
                EXPECT_GE(positions.min().item<double>(), 0.0);
                EXPECT_LT(positions.max().item<double>(), 50.0);
                EXPECT_EQ(positions.scalar_type(), form == std::string("integers") ? torch::kLong : torch::kFloat);
            }
        }
        method->to(torch::kDouble);
        EXPECT_EQ(method->draw_positions(7, false).scalar_type(),
                  form == std::string("integers") ? torch::kLong : torch::kDouble);
    }
    // All of a range in which each has a place.
    EXPECT_TRUE(make("rotary", "integers")->draw_positions(50, true).equal(torch::arange(50)));
}

TEST(Draw, FollowsTheSeedInTrainingAndTheLengthElsewhere) {
    for (const auto* form : {"integers", "floats"}) {
        const auto method = make("rotary", form), other = make("rotary", form),
                   reseeded = make("rotary", form, {{"draw_seed", std::int64_t{1}}});
        torch::manual_seed(3);
        const auto first = method->draw_positions(20, true), second = method->draw_positions(20, true);
        EXPECT_FALSE(first.equal(second));
        const auto evaluated = method->draw_positions(20, false);
        torch::manual_seed(3);
        EXPECT_TRUE(method->draw_positions(20, true).equal(first));
        EXPECT_FALSE(method->draw_positions(21, false).slice(0, 0, 20).equal(evaluated));
        EXPECT_TRUE(method->draw_positions(20, true).equal(second)) << "an evaluation took from the default generator";
        EXPECT_TRUE(other->draw_positions(20, false).equal(evaluated));
        EXPECT_FALSE(reseeded->draw_positions(20, false).equal(evaluated));
        EXPECT_TRUE(method->depends_on_length());
    }
    EXPECT_FALSE(make_position_method("rotary", {2, 16, 2, 16, {}})->draw_positions(4, true).defined());
}

TEST(Draw, IntegersEndWithTheirRange) {
    const auto integers = make("alibi", "integers");
    EXPECT_EQ(integers->max_length(), 50);
    for (const bool training : {false, true})
        EXPECT_THAT(test::error_of([&] { integers->draw_positions(51, training); }), HasSubstr("position.draw_max"));
    const auto floats = make("alibi", "floats");
    EXPECT_EQ(floats->max_length(), 0);
    EXPECT_EQ(floats->draw_positions(51, true).size(0), 51);
}

// A bias says its positions also to one who asks only which parts there are.
TEST(Draw, GivesTheBiasItsPositions) {
    for (const auto* name : {"alibi", "kerple", "sandwich", "t5"}) {
        const auto method = make(name, "integers");
        const auto asked = method->bias({});
        ASSERT_TRUE(asked.positions.defined()) << name;
        EXPECT_EQ(asked.positions.scalar_type(), torch::kLong);
        PositionCall call;
        call.evaluated_length = call.keys = 7;
        call.positions = call.key_positions = method->draw_positions(7, false);
        const auto spec = method->bias(call);
        EXPECT_TRUE(spec.positions.is_same(call.key_positions));
        // Each distance has the bias that it has in a window that is long enough for it.
        PositionCall plain;
        plain.evaluated_length = plain.keys = 50;
        const auto whole = test::distance_bias(make_position_method(name, {2, 16, 2, 16, {}})->bias(plain), 50, 50);
        if (name == std::string("kerple") || name == std::string("t5")) continue;  // trained: drawn anew
        const auto expected = whole.index_select(1, call.positions).index_select(2, call.positions);
        EXPECT_LT(test::distance_bias(spec, 7, 7).sub(expected).tril().abs().max().item<double>(), 1e-12) << name;
    }
    EXPECT_EQ(make("alibi", "floats")->bias({}).positions.scalar_type(), torch::kFloat);
    EXPECT_FALSE(make("sinusoidal", "floats")->bias({}).positions.defined());
}

TEST(Draw, EmbeddingsFollowTheirPositions) {
    const auto x = torch::randn({2, 7, 16});
    PositionCall call;
    call.evaluated_length = call.keys = 7;
    for (const auto* form : {"integers", "floats"}) {
        const auto method = make("sinusoidal", form);
        call.positions = call.key_positions = method->draw_positions(7, false);
        EXPECT_TRUE(method->embed(x, call).equal(x.add(sinusoidal_rows(call.positions, 16).to(torch::kFloat))));
    }
    const auto learned = make("learned", "integers", {{"max_length", std::int64_t{60}}});
    call.positions = call.key_positions = learned->draw_positions(7, false);
    const auto table = learned->parameters().front();
    EXPECT_TRUE(learned->embed(x, call).equal(x.add(table.index_select(0, call.positions))));
}

TEST(Draw, RefusesWhatTheMethodCannotServe) {
    for (const auto* name : {"kerple", "sandwich", "t5"})
        EXPECT_THAT(test::error_of<ConfigError>([&] { make(name, "floats"); }), HasSubstr("floats")) << name;
    EXPECT_THAT(test::error_of<ConfigError>([] {
                    make("learned", "floats", {{"max_length", std::int64_t{60}}});
                }),
                HasSubstr("floats"));
    EXPECT_THAT(test::error_of<ConfigError>([] { make("learned", "integers"); }), HasSubstr("position.draw_max"));
    EXPECT_THAT(test::error_of<ConfigError>([] {
                    make("alibi", "integers", {{"rounding", std::string("falcon")}});
                }),
                HasSubstr("position.draw"));
}

TEST(Draw, SaysWhereWindowsEnd) {
    PositionConfig config{"alibi", 0, {}, {}};
    EXPECT_FALSE(draws_positions(config.options)) << "the default";
    EXPECT_STREQ(length_limit_key(config), "position.max_length");
    config.options["draw"] = std::string("floats");
    EXPECT_TRUE(draws_positions(config.options));
    EXPECT_FALSE(ends_at_draw(config)) << "there are as many as one likes";
    config.options["draw"] = std::string("integers");
    EXPECT_TRUE(ends_at_draw(config));
    EXPECT_STREQ(length_limit_key(config), "position.draw_max");
    const PositionConfig layered{"alibi", 0, {{"none", 0, {}}, {"rotary", 0, config.options}}, {}};
    EXPECT_TRUE(ends_at_draw(layered));
}

TEST(Draw, IsOneForAllLayers) {
    const auto layers = [](OptionMap first, OptionMap second) {
        PositionConfig config;
        config.layers = {{"rotary", 0, std::move(first)}, {"alibi", 0, std::move(second)}, {"none", 0, {}}};
        return make_positions(config, {3, 16, 2, 16});
    };
    const OptionMap draw = {{"draw", std::string("integers")}, {"draw_max", std::int64_t{50}}};
    EXPECT_EQ(layers(draw, draw)->draw_positions(9, true).size(0), 9);
    EXPECT_FALSE(layers({}, {})->draw_positions(9, true).defined());
    EXPECT_THAT(test::error_of<ConfigError>([&] { layers(draw, {}); }), HasSubstr("position.layers"));
}

}  // namespace
}  // namespace longbow
