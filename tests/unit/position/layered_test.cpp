// Tests methods and windows that differ by layer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include "longbow/core/error.h"
#include "longbow/position/position_method.h"
#include "unit/error_of.h"

namespace longbow {
namespace {

using testing::HasSubstr;

std::shared_ptr<PositionMethod> of(const std::vector<PositionLayer>& layers) {
    PositionConfig config;
    config.layers = layers;
    return make_positions(config, {6, 16, 2, 8});
}

PositionCall at_layer(std::int64_t layer) {
    PositionCall call;
    call.layer = layer;
    call.evaluated_length = call.keys = 4;
    return call;
}

TEST(Layers, TakeTheirEntriesInTurn) {
    const auto method = of({{"alibi", 3, {}}, {"none", 0, {}}, {"t5", 0, {}}});
    for (std::int64_t layer = 0; layer < 6; ++layer) {
        const auto bias = method->bias(at_layer(layer));
        const BiasParts parts[] = {{BiasPart::slopes}, {}, {BiasPart::table}};
        EXPECT_EQ(bias.parts(), parts[layer % 3]);
        EXPECT_EQ(bias.window, layer % 3 == 0 ? 3 : 0);
    }
    EXPECT_TRUE(method->bias_differs_by_layer());
    for (std::int64_t layer = 1; layer < 6; ++layer) EXPECT_FALSE(method->bias_as_before(layer));
}

TEST(Layers, ABiasServesEqualNeighbours) {
    const auto method = of({{"alibi", 3, {}}, {"alibi", 3, {}}, {"alibi", 0, {}}});
    EXPECT_TRUE(method->bias_as_before(1));
    EXPECT_FALSE(method->bias_as_before(2)) << "another window";
    EXPECT_FALSE(method->bias_as_before(3));
    EXPECT_EQ(method->children().size(), 1U) << "one method for both windows";
    EXPECT_FALSE(of({{"alibi", 3, {}}, {"alibi", 3, {}}})->bias_differs_by_layer());
    const auto table = of({{"t5", 0, {{"shared", false}}}, {"t5", 0, {{"shared", false}}}});
    EXPECT_FALSE(table->bias_as_before(1)) << "the method itself differs";
}

TEST(Layers, RotateByTheirOwnMethod) {
    const auto method = of({{"rotary", 0, {}}, {"none", 0, {}}, {"rotary", 0, {{"base", 100.0}}}});
    auto call = at_layer(0);
    call.positions = torch::arange(4);
    call.q = call.k = torch::randn({1, 2, 4, 8}, torch::kDouble);
    const auto first = method->rotate(call);
    EXPECT_TRUE(first.q.equal(make_position_method("rotary", {6, 16, 2, 8})->rotate(call).q));
    call.layer = 1;
    EXPECT_TRUE(method->rotate(call).q.is_same(call.q));
    call.layer = 2;
    EXPECT_FALSE(method->rotate(call).q.equal(first.q));
    call.layer = 3;
    EXPECT_TRUE(method->rotate(call).q.equal(first.q));
    EXPECT_TRUE(method->embed(call.q, call).is_same(call.q));
}

TEST(Layers, NameTheirParametersByEntry) {
    const auto method =
        of({{"none", 0, {}}, {"t5", 0, {}}, {"none", 2, {}}, {"t5", 0, {{"buckets", std::int64_t{8}}}}});
    std::vector<std::string> names;
    for (const auto& item : method->named_parameters()) names.push_back(item.key());
    EXPECT_THAT(names, testing::ElementsAre("1.weight", "2.weight"));
}

TEST(Layers, LimitsAreThoseOfAnyLayer) {
    EXPECT_EQ(of({{"alibi", 0, {}}, {"none", 0, {}}})->max_length(), 0);
    EXPECT_FALSE(of({{"rotary", 0, {}}, {"none", 0, {}}})->depends_on_length());
    EXPECT_TRUE(of({{"none", 0, {}}, {"rotary", 0, {{"scaling", std::string("dynamic")}}}})->depends_on_length());
}

TEST(Layers, WhatAddsToTheEmbeddingServesAllLayers) {
    const auto windows = of({{"learned", 2, {}}, {"learned", 0, {}}});
    EXPECT_EQ(windows->max_length(), 8);
    auto call = at_layer(0);
    call.positions = torch::arange(4);
    const auto x = torch::zeros({1, 4, 16});
    EXPECT_TRUE(windows->embed(x, call)[0].equal(windows->parameters().front().slice(0, 0, 4)));
    for (const char* method : {"learned", "sinusoidal"}) {
        EXPECT_THAT(test::error_of<ConfigError>([&] {
                        of({{"none", 0, {}}, {method, 0, {}}});
                    }),
                    HasSubstr(std::string("position.layers: method ") + method + " adds to the embedding"));
    }
    EXPECT_THAT(test::error_of<ConfigError>([&] {
                    of({{"alibi", 0, {}}, {"aliby", 0, {}}});
                }),
                HasSubstr("did you mean"));
}

}  // namespace
}  // namespace longbow
