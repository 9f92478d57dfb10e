// Tests what the model makes of its position methods: methods by layer, windows, the length that hooks are told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <set>

#include "longbow/core/error.h"
#include "tiny.h"

namespace longbow {
namespace {

// What a hook was called with.
struct Seen {
    std::int64_t layer, evaluated_length, keys;
    bool has_q;
    bool operator==(const Seen&) const = default;
};
std::vector<Seen> rotate_calls, bias_calls;

// A method that tells what it was called with.
class Told : public PositionMethod {
public:
    Rotated rotate(const PositionCall& call) override {
        rotate_calls.push_back({call.layer, call.evaluated_length, call.keys, call.q.defined() && call.x.defined()});
        return {call.q, call.k};
    }
    BiasSpec bias(const PositionCall& call) override {
        bias_calls.push_back({call.layer, call.evaluated_length, call.keys, call.q.defined()});
        return {};
    }
};
LONGBOW_REGISTER_POSITION({"told", "a test's own", {}, [](const PositionContext&) {
                               return std::make_shared<Told>();
                           }});

Config hybrid_config(const std::vector<PositionLayer>& layers, std::int64_t count = 4) {
    auto config = test::tiny_config();
    config.model.layers = count;
    config.position.layers = layers;
    return config;
}

TEST(Positions, HooksAreToldLayerAndLength) {
    const auto model = test::tiny_model(test::tiny_config("told"));
    const torch::NoGradGuard no_grad;
    rotate_calls.clear();
    bias_calls.clear();
    model->hidden(test::random_tokens(2, 9));
    EXPECT_THAT(rotate_calls, testing::ElementsAre(Seen{0, 9, 9, true}, Seen{1, 9, 9, true}));
    EXPECT_THAT(bias_calls, testing::ElementsAre(Seen{0, 9, 9, false})) << "one bias serves all layers";
    KvCache cache;
    cache.evaluated_length = 12;
    rotate_calls.clear();
    for (const std::int64_t count : {5, 1}) model->hidden(test::random_tokens(1, count), &cache);
    EXPECT_THAT(rotate_calls, testing::ElementsAre(Seen{0, 12, 5, true}, Seen{1, 12, 5, true}, Seen{0, 12, 6, true},
                                                   Seen{1, 12, 6, true}));
    EXPECT_THROW(model->hidden(test::random_tokens(1, 7), &cache), Error) << "more than the generation was begun for";
}

TEST(Positions, LayersThatAreAlikeAreOneMethod) {
    for (const char* method : {"alibi", "rotary", "t5", "learned", "sinusoidal", "none"}) {
        auto flat = test::tiny_config(method);
        auto layered = flat;
        layered.position = {};
        layered.position.layers = {{method, 0, flat.position.options}};
        const auto a = test::tiny_model(flat), b = test::tiny_model(layered);
        const auto tokens = test::random_tokens(2, 20);
        EXPECT_TRUE(a->hidden(tokens).equal(b->hidden(tokens))) << method;
        EXPECT_EQ(a->parameter_count(), b->parameter_count());
    }
}

TEST(Positions, ParametersAreNamedByEntry) {
    const auto config =
        hybrid_config({{"none", 0, {}}, {"t5", 0, {}}, {"t5", 4, {}}, {"t5", 0, {{"buckets", std::int64_t{8}}}}});
    const auto model = test::tiny_model(config);
    std::set<std::string> names;
    std::int64_t numbers = 0;
    for (const auto& stored : model->stored_tensors()) {
        names.insert(stored.name);
        numbers += stored.tensor.numel();
    }
    EXPECT_EQ(numbers, model->parameter_count());
    EXPECT_TRUE(names.contains("position.1.weight"));
    EXPECT_TRUE(names.contains("position.2.weight"));
    EXPECT_FALSE(names.contains("position.0.weight"));
    for (const auto& item : model->named_parameters()) {
        if (!item.key().starts_with("position.")) continue;
        EXPECT_FALSE(model->decays(item.value())) << item.key();
    }
    model->hidden(test::random_tokens(1, 8)).sum().backward();
    for (const auto& item : model->named_parameters()) EXPECT_TRUE(item.value().grad().defined()) << item.key();
}

// Each layer of a hybrid computes what a model does that has its method in all layers.
TEST(Positions, EachLayerHasItsOwnMethod) {
    const std::vector<PositionLayer> entries = {{"rotary", 0, {}}, {"alibi", 0, {}}, {"none", 0, {}}, {"t5", 0, {}}};
    const auto hybrid = test::tiny_model(hybrid_config(entries));
    const auto tokens = test::random_tokens(2, 20);
    const torch::NoGradGuard no_grad;
    const auto found = hybrid->hidden(tokens);
    // With the entries in another order the same weights give other numbers.
    const auto other = test::tiny_model(hybrid_config({entries[1], entries[0], entries[2], entries[3]}));
    const auto weights = hybrid->stored_tensors();
    auto others = other->stored_tensors();
    ASSERT_EQ(weights.size(), others.size());
    for (std::size_t i = 0; i < weights.size(); ++i) others[i].tensor.copy_(weights[i].tensor);
    EXPECT_GT(test::largest_difference(found, other->hidden(tokens)), 1e-3);
    // A method for all layers of which the hybrid's first layer is the only one: one layer is compared at a time.
    for (std::size_t i = 0; i < entries.size(); ++i) {
        auto one = hybrid_config({entries[i]}, 1), flat = one;
        flat.position = {};
        flat.position.method = entries[i].method;
        EXPECT_TRUE(test::tiny_model(one)->hidden(tokens).equal(test::tiny_model(flat)->hidden(tokens)));
    }
}

TEST(Positions, RecomputedLayersOfAHybrid) {
    auto config =
        hybrid_config({{"rotary", 0, {{"pairs", std::string("halves")}, {"dim", std::int64_t{4}}}}, {"t5", 0, {}}});
    std::vector<at::Tensor> gradients[2];
    for (const int i : {0, 1}) {
        config.train.recompute = i == 0 ? Recompute::none : Recompute::layer;
        const auto model = test::tiny_model(config);
        model->train();
        model->hidden(test::random_tokens(0, 0).new_ones({2, 9}).cumsum(1)).pow(2).sum().backward();
        for (const auto& parameter : model->parameters()) gradients[i].push_back(parameter.grad().clone());
    }
    for (std::size_t p = 0; p < gradients[0].size(); ++p) EXPECT_TRUE(gradients[0][p].equal(gradients[1][p])) << p;
}

TEST(Positions, WhatAttentionIsAskedForServesEveryLayer) {
    const auto request = [](const Config& config) {
        const auto positions = make_positions(config);
        return attention_request(config, *positions, DType::fp32, "cpu");
    };
    const auto mixed = request(hybrid_config({{"none", 0, {}}, {"alibi", 0, {}}}));
    EXPECT_EQ(mixed.bias, BiasParts{BiasPart::slopes});
    EXPECT_FALSE(mixed.bias_needs_grad);
    EXPECT_FALSE(mixed.windowed);
    const auto learned = request(hybrid_config({{"alibi", 0, {}}, {"t5", 0, {}}}));
    EXPECT_EQ(learned.bias, (BiasParts{BiasPart::slopes, BiasPart::table}));
    EXPECT_FALSE(learned.sums) << "no layer has both";
    EXPECT_TRUE(learned.bias_needs_grad);
    const OptionMap falcon = {{"rounding", std::string("falcon")}};
    EXPECT_TRUE(request(hybrid_config({{"none", 0, {}}, {"alibi", 0, falcon}})).bias.has(BiasPart::places));
}

TEST(Positions, MemoryCountsAnyLayer) {
    const PassRequest pass{.batch = 2, .length = 64};
    const auto kept = [&](const Config& config) {
        return make_meta_model(config, test::kVocab)->memory(pass).layer.kept;
    };
    const auto none = kept(hybrid_config({{"none", 0, {}}}));
    EXPECT_GT(kept(hybrid_config({{"none", 0, {}}, {"rotary", 0, {}}})), none);
}

}  // namespace
}  // namespace longbow
