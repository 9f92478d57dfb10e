// Compares methods that weigh each channel of queries and keys with numbers of independent programs: scores, outputs
// and gradients.
#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>
#include <limits>
#include <vector>

#include "longbow/core/error.h"
#include "longbow/position/position_method.h"
#include "unit/position/method_case.h"

namespace longbow {
namespace {

using test::call_at;
using test::call_of;
using test::Case;
using test::for_each_case;
using test::kLayer;
using test::scores_of;

TEST(ChannelGolden, Xpos) {
    for_each_case("xpos", [](const Case& one) {
        const auto method = one.make("xpos", {{"base", one.settings()["base"].get<double>()},
                                              {"scale_base", one.settings()["scale_base"].get<double>()}});
        const auto q = one.input("q"), k = one.input("k");
        const auto& places = one.stored("positions");
        const auto call = call_at(places, q, k);
        const auto spec = method->bias(call);
        EXPECT_EQ(spec.parts(), BiasParts({BiasPart::channel}));
        ASSERT_EQ(spec.channel.scalar_type(), at::kDouble);
        ASSERT_EQ(spec.channel.size(2), call.keys);
        const auto scores =
            scores_of(method->rotate(call), spec.channel.index_select(2, places), one.count("head_dim"));
        one.compare("", scores, {{"q", q}, {"k", k}}, "scores");
    });
}

TEST(ChannelGolden, Pope) {
    for_each_case("pope", [](const Case& one) {
        const auto method = one.make("pope", {{"base", one.settings()["base"].get<double>()}});
        const auto delta = method->named_parameters()["delta"];
        EXPECT_EQ(delta.abs().max().item<double>(), 0.0) << "the first value";
        Case::set(delta, one.stored("delta"));
        const auto q = one.input("q"), k = one.input("k");
        const auto call = call_at(one.stored("positions"), q, k);
        const auto rotated = method->rotate(call);
        const auto head_dim = one.count("head_dim");
        ASSERT_EQ(rotated.q.size(3), 2 * head_dim);
        ASSERT_EQ(rotated.k.size(3), 2 * head_dim);
        const auto products = rotated.q.matmul(rotated.k.transpose(2, 3));
        const auto scores = products.div(std::sqrt(static_cast<double>(head_dim))).tril();
        one.compare("", scores, {{"q", q}, {"k", k}}, "scores");
        one.compare_parameter("delta", delta);
        // A phase out of its range counts as the range's end, and is put there.
        Case::set(delta, torch::ones_like(delta[kLayer]));
        const auto at_most = method->rotate(call).q;
        EXPECT_EQ(delta.max().item<double>(), 1.0) << "a measurement leaves it as it is";
        auto in_training = call;
        in_training.training = true;
        EXPECT_TRUE(method->rotate(in_training).q.equal(at_most));
        EXPECT_EQ(delta.max().item<double>(), 0.0);
        Case::set(delta, torch::zeros_like(delta[kLayer]));
        EXPECT_TRUE(method->rotate(call).q.equal(at_most));
    });
}

TEST(ChannelGolden, Wall) {
    for_each_case("wall", [](const Case& one) {
        // With the identity for the weights, what the layer projects is the gates' logits.
        const auto method = one.make("wall", {{"gate_bias", 0.0}});
        const auto weight = method->named_parameters()["weight"];
        Case::set(weight, torch::eye(weight.size(1)));
        const auto q = one.input("q"), k = one.input("k"), v = one.input("v"), logits = one.input("gate_logits");
        auto call = call_of(q.size(2));
        call.x = logits.transpose(1, 2).flatten(2);
        call.q = q;
        call.k = k;
        EXPECT_EQ(method->parts_from_data(kLayer), BiasParts({BiasPart::channel}));
        const auto spec = method->bias(call);
        EXPECT_EQ(spec.parts(), method->parts_from_data(kLayer));
        ASSERT_EQ(spec.channel.scalar_type(), at::kDouble);
        const auto scores = scores_of(method->rotate(call), spec.channel, one.count("head_dim"));
        EXPECT_LT(test::relative_error(scores[0], one.stored("scores")), test::tolerance_of(one.type(), 1e-12, 1e-5));
        const auto later = torch::ones_like(scores).triu(1).gt(0);
        const auto weights = scores.masked_fill(later, -std::numeric_limits<double>::infinity()).softmax(-1);
        one.compare("", weights.matmul(v), {{"q", q}, {"k", k}, {"v", v}, {"gate_logits", logits}});
    });
}

TEST(Wall, StepsOfAGenerationEqualTheWholePass) {
    torch::manual_seed(3);
    const torch::NoGradGuard no_grad;
    const auto method = make_position_method("wall", {2, 12, 2, 8, {}});
    method->to(at::kDouble);
    const auto bias = method->named_parameters()["bias"];
    EXPECT_EQ(bias.min().item<double>(), 8.0);
    EXPECT_EQ(bias.max().item<double>(), 8.0);
    const auto x = torch::randn({3, 9, 12}, at::kDouble);
    auto call = call_of(9);
    call.x = x;
    const auto whole = method->bias(call).channel;
    EXPECT_EQ(whole.sizes(), (std::vector<std::int64_t>{3, 2, 9, 6}));
    PositionState state;
    std::int64_t keys = 0;
    for (const std::int64_t fresh : {4, 1, 1, 3}) {
        auto step = call_of(keys + fresh);
        step.x = x.narrow(1, keys, fresh);
        step.state = &state;
        keys += fresh;
        EXPECT_LT(test::relative_error(method->bias(step).channel, whole.narrow(2, 0, keys)), 1e-14) << keys;
    }
}

TEST(Xpos, HasAChannelForWhoeverAsksWithALayerAlone) {
    const auto method = make_position_method("xpos", {1, 16, 2, 8, {}});
    EXPECT_EQ(method->bias({}).channel.size(2), 1);
    EXPECT_THROW(make_position_method("xpos", {1, 14, 2, 8, {}}), ConfigError);
}

// Heads that share keys have phases of their own.
TEST(Pope, HeadsMayShareKeys) {
    torch::manual_seed(4);
    const torch::NoGradGuard no_grad;
    const auto method = make_position_method("pope", {2, 32, 4, 8, {}});
    method->named_parameters()["delta"].uniform_(-3.0, 0.0);
    auto call = call_of(5);
    call.q = torch::randn({2, 4, 5, 8});
    call.k = torch::randn({2, 2, 5, 8});
    const auto shared = method->rotate(call);
    EXPECT_EQ(shared.k.size(1), 2);
    call.k = call.k.repeat_interleave(2, 1);
    const auto apart = method->rotate(call);
    EXPECT_TRUE(shared.q.equal(apart.q));
    EXPECT_TRUE(shared.k.repeat_interleave(2, 1).equal(apart.k));
}

}  // namespace
}  // namespace longbow
