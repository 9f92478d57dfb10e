// Compares modifiers with numbers of independent programs: factors on queries, outputs and gradients of attention with
// sinks and with two ranges of rotations, and biases and rotations of given positions.
#include <gtest/gtest.h>
#include <torch/types.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "longbow/position/position_method.h"
#include "unit/position/golden_case.h"
#include "unit/position/plain_attention.h"

namespace longbow {
namespace {

using test::call_of;
using test::Case;
using test::for_each_case;
using test::kLayer;
using test::tolerance_of;

// Returns the factors on queries of one token at each of these positions, [heads, positions].
at::Tensor factors(PositionMethod& method, const at::Tensor& positions, std::int64_t heads, at::ScalarType type) {
    std::vector<at::Tensor> columns;
    for (std::int64_t i = 0; i < positions.size(0); ++i) {
        auto call = call_of(1);
        call.keys = call.evaluated_length = positions[i].item<std::int64_t>() + 1;
        call.positions = positions.narrow(0, i, 1);
        call.q = call.k = torch::ones({1, heads, 1, 8}, type);
        const auto rotated = method.rotate(call);
        EXPECT_TRUE(rotated.k.equal(call.k));
        columns.push_back(rotated.q.select(3, 0).reshape({heads, 1}));
    }
    return torch::cat(columns, 1);
}

TEST(ModifierGolden, FactorsOfQueries) {
    for_each_case("query_scale", [](const Case& one) {
        const auto heads = one.count("heads"), length = one.count("train_length");
        const auto tolerance = tolerance_of(one.type(), 1e-12, 1e-6);
        const auto& positions = one.stored("positions");
        const auto expect = [&](PositionMethod& method, const at::Tensor& expected) {
            const auto found = factors(method, positions, heads, one.type());
            EXPECT_LT(test::relative_error(found, expected.expand_as(found)), tolerance);
        };
        expect(*one.make("none", {{"temperature", std::string("log_n")}}, length), one.stored("logn_clipped"));
        expect(*one.make("none", {{"temperature", std::string("log_n")}, {"temperature_length", length}}),
               one.stored("logn_clipped"));
        const auto& llama4 = one.settings()["llama4"];
        expect(*one.make("none", {{"temperature", std::string("llama4")},
                                  {"temperature_floor", llama4["floor_scale"].get<std::int64_t>()},
                                  {"temperature_scale", llama4["attn_scale"].get<double>()}}),
               one.stored("llama4"));
        const auto ssmax = one.make("none", {{"temperature", std::string("ssmax")}});
        {
            const torch::NoGradGuard no_grad;
            ssmax->named_parameters()["temperature"][kLayer].copy_(one.stored("ssmax_s"));
        }
        expect(*ssmax, one.stored("ssmax"));
        const auto biased = one.make("none", {{"temperature", std::string("ssmax")}, {"temperature_bias", true}});
        Case::set(biased->named_parameters()["temperature"], one.stored("ssmax_s"));
        EXPECT_EQ(biased->named_parameters()["temperature_bias"].abs().max().item<double>(), 0.0) << "at first";
        expect(*biased, one.stored("ssmax"));
        Case::set(biased->named_parameters()["temperature_bias"], one.stored("ssmax_b"));
        expect(*biased, one.stored("ssmax_with_bias"));
    });
}

// Position 0 shows the factor of YaRN alone: it turns nothing.
TEST(ModifierGolden, FactorsOfYarn) {
    for_each_case("query_scale", [](const Case& one) {
        const auto tolerance = tolerance_of(one.type(), 1e-12, 1e-6);
        const auto& stretches = one.stored("factors");
        for (std::int64_t i = 0; i < stretches.size(0); ++i) {
            const auto method =
                one.make("rotary", {{"scaling", std::string("yarn")}, {"factor", stretches[i].item<double>()}});
            const auto x = torch::ones({1, 1, 1, 8}, one.type());
            const auto turned = method->turned(x, torch::zeros({1}, torch::kLong), call_of(1));
            const auto expected = one.stored("yarn_q_and_k")[i], of_scores = one.stored("yarn_scores")[i];
            EXPECT_LT(test::relative_error(turned, expected.expand_as(turned)), tolerance);
            EXPECT_LT(test::relative_error(turned.square(), of_scores.expand_as(turned)), 2 * tolerance);
        }
    });
}

TEST(ModifierGolden, SinksBesideAWindow) {
    for_each_case("sink_window", [](const Case& one) {
        const auto length = one.stored("q").size(1), window = one.count("window"), sinks = one.count("sinks");
        ASSERT_EQ(one.count("cap"), window);
        const std::map<std::string, std::pair<std::string, OptionMap>> forms = {
            {"none", {"none", {}}},
            {"alibi", {"alibi", {}}},
            {"rotary", {"rotary", {}}},
            {"lm_infinite", {"rotary", {{"range", std::string("lm_infinite")}}}},
            {"streaming", {"rotary", {{"range", std::string("streaming")}}}}};
        for (const auto& [name, form] : forms) {
            auto options = form.second;
            options["sinks"] = sinks;
            const auto method = one.make(form.first, options);
            const auto q = one.input("q"), k = one.input("k"), v = one.input("v");
            auto call = call_of(length);
            call.window = window;
            call.q = q;
            call.k = k;
            auto spec = method->bias(call);
            EXPECT_EQ(spec.sinks, sinks);
            spec.window = window;
            EXPECT_TRUE(test::visible(spec, length, length).to(torch::kLong).equal(one.stored("mask")));
            const auto attention = test::plain_attention(method->rotate(call), v, spec);
            one.compare(name + ".", attention.out, {{"q", q}, {"k", k}, {"v", v}});
        }
    });
}

TEST(ModifierGolden, ALogitThatTakesWeight) {
    for_each_case("sink_logit", [](const Case& one) {
        const auto method = one.make("none", {{"sink_logit", true}});
        const auto parameter = method->named_parameters()["sink_logit"];
        {
            const torch::NoGradGuard no_grad;
            parameter[kLayer].copy_(one.stored("sink"));
        }
        const auto q = one.input("q"), k = one.input("k"), v = one.input("v");
        auto call = call_of(q.size(2));
        call.q = q;
        call.k = k;
        const auto attention = test::plain_attention(method->rotate(call), v, method->bias(call));
        EXPECT_LT(test::relative_error(attention.sink_weight[0], one.stored("sink_weight")),
                  tolerance_of(one.type(), 1e-12, 1e-5));
        one.compare("", attention.out, {{"q", q}, {"k", k}, {"v", v}});
        EXPECT_LT(test::relative_error(parameter.grad()[kLayer], one.stored("grad_sink")),
                  tolerance_of(one.type(), 1e-11, 1e-5));
        EXPECT_EQ(parameter.grad()[0].abs().max().item<double>(), 0.0) << "another layer";
    });
}

TEST(ModifierGolden, TwoRanges) {
    for_each_case("two_range", [](const Case& one) {
        for (const auto* form : {"rerope", "leaky_rerope", "self_extend"}) {
            const std::string name = form;
            OptionMap options = {{"range", name}, {"range_window", one.count("window")}};
            if (name == "self_extend") options["range_group"] = one.count("group");
            if (name == "leaky_rerope") options["range_factor"] = one.settings()["leaky_factor"].get<double>();
            const auto method = one.make("rotary", options);
            const auto q = one.input("q"), k = one.input("k"), v = one.input("v");
            auto call = call_of(q.size(2));
            call.q = q;
            call.k = k;
            const auto rotated = method->rotate(call);
            EXPECT_EQ(rotated.far_from, one.count("window"));
            const auto attention = test::plain_attention(rotated, v, method->bias(call));
            // Scores of keys that no query sees are no part of the method.
            EXPECT_LT(test::relative_error(test::products(rotated)[0].tril(), one.stored(name + ".scores").tril()),
                      tolerance_of(one.type(), 1e-12, 1e-5))
                << name;
            one.compare(name + ".", attention.out, {{"q", q}, {"k", k}, {"v", v}});
        }
    });
}

TEST(ModifierGolden, GivenPositions) {
    for_each_case("given_positions", [](const Case& one) {
        const auto& positions = one.stored("positions");
        const auto length = positions.size(0), most = one.count("N");
        const OptionMap options = {{"draw", std::string("integers")}, {"draw_max", most}};
        auto call = call_of(length);
        call.positions = call.key_positions = positions;
        const auto bias_of = [&](PositionMethod& method) {
            const auto spec = method.bias(call);
            EXPECT_TRUE(spec.positions.equal(positions));
            return test::distance_bias(spec, length, length).tril();
        };
        const auto bias_tolerance = tolerance_of(one.type(), 1e-12, 1e-6);
        EXPECT_LT(test::relative_error(bias_of(*one.make("alibi", options)), one.stored("alibi_bias").tril()),
                  bias_tolerance);
        const auto kerple = one.make("kerple", options);
        {
            const torch::NoGradGuard no_grad;
            for (const auto& item : kerple->named_parameters())
                item.value()[0].copy_(one.stored("kerple_" + stored_position_name(item.key())));
        }
        EXPECT_LT(test::relative_error(bias_of(*kerple), one.stored("kerple_log_bias").tril()), bias_tolerance);

        call.q = one.input("q");
        call.k = one.input("k");
        for (const bool as_floats : {false, true}) {
            auto drawn = options;
            drawn["draw"] = std::string(as_floats ? "floats" : "integers");
            const auto rotary = one.make("rotary", drawn);
            if (as_floats) call.positions = call.key_positions = positions.to(one.type());
            EXPECT_FALSE(rotary->bias(call).positions.defined()) << "no part is by the distance";
            const auto rotated = rotary->rotate(call);
            const auto tolerance = tolerance_of(one.type(), 1e-12, 1e-5);
            EXPECT_LT(test::relative_error(rotated.q[0], one.stored("q_rotated")), tolerance);
            EXPECT_LT(test::relative_error(rotated.k[0], one.stored("k_rotated")), tolerance);
        }
    });
}

}  // namespace
}  // namespace longbow
