// Tests what modifiers do beside the numbers of the golden files: with each other, in configurations, while tokens are
// generated, and to the names of parameters.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <algorithm>

#include "longbow/core/error.h"
#include "longbow/position/position_method.h"
#include "unit/error_of.h"
#include "unit/position/plain_attention.h"

namespace longbow {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

constexpr std::int64_t kLayers = 3, kHeads = 2, kHeadDim = 8;

std::string text(const char* value) { return value; }

std::shared_ptr<PositionMethod> make(const std::string& method, OptionMap options, std::int64_t train_length = 16) {
    return make_position_method(method, {kLayers, kHeads * kHeadDim, kHeads, train_length, std::move(options)});
}

const PositionEntry& entry_of(const std::string& name) {
    const auto& methods = position_methods();
    return *std::find_if(methods.begin(), methods.end(), [&](const PositionEntry& one) { return one.name == name; });
}

const OptionSpec* option_of(const std::string& method, const std::string& key) {
    const auto& options = entry_of(method).options;
    const auto found =
        std::find_if(options.begin(), options.end(), [&](const OptionSpec& one) { return one.key == key; });
    return found == options.end() ? nullptr : &*found;
}

std::vector<std::string> stored_names(const PositionMethod& method) {
    std::vector<std::string> names;
    for (const auto& item : method.named_parameters()) names.push_back(stored_position_name(item.key()));
    return names;
}

// The new tokens are the last `length` of `keys`.
PositionCall call_of(std::int64_t keys, std::int64_t length, std::int64_t layer = 0) {
    PositionCall call;
    call.layer = layer;
    call.evaluated_length = call.keys = keys;
    call.key_positions = torch::arange(keys);
    call.positions = torch::arange(keys - length, keys);
    return call;
}

// ---- modifiers as such ----

TEST(Modifiers, AMethodHasTheOptionsOfThoseThatItTakes) {
    for (const auto* method : {"alibi", "kerple", "sandwich", "t5", "sinusoidal", "learned", "rotary", "none"}) {
        for (const auto* key : {"temperature", "sinks", "sink_logit"}) {
            ASSERT_NE(option_of(method, key), nullptr) << method << " " << key;
            EXPECT_EQ(option_of(method, key)->since, "0.3.0");
        }
        EXPECT_EQ(option_of(method, "draw") != nullptr, method != text("none")) << method;
        EXPECT_EQ(option_of(method, "range") != nullptr, method == text("rotary")) << method;
        EXPECT_EQ(option_of(method, "range_group") != nullptr, method == text("rotary")) << method;
    }
}

// By their defaults, a method is what it was.
TEST(Modifiers, ChangeNothingUnasked) {
    for (const auto& entry : position_methods()) {
        if (entry.name == "silent_slopes") continue;  // a test's own, which cannot be made
        for (const auto& item : make(entry.name, {})->named_parameters())
            EXPECT_THAT(item.key(), testing::Not(HasSubstr("host"))) << entry.name;
    }
}

// Its registration names no modifiers, so that it has those that any bias can be added to.
class AttendsItself : public PositionMethod {
public:
    [[nodiscard]] bool attends(std::int64_t /*layer*/) const override { return true; }
};

TEST(Modifiers, ASinkLogitIsRefusedWhereNoBackendAddsIt) {
    static const bool registered = register_position_method(
        {"attends_itself", "a test's own", {}, [](const PositionContext&) { return std::make_shared<AttendsItself>(); }});
    EXPECT_TRUE(registered);
    EXPECT_THAT(test::error_of<ConfigError>([] { make("attends_itself", {{"sink_logit", true}}); }),
                HasSubstr("position.sink_logit"));
    EXPECT_NO_THROW(make("attends_itself", {}));
}

TEST(Modifiers, KeepTheNamesOfTheirHost) {
    EXPECT_THAT(stored_names(*make("t5", {})), ElementsAre("weight"));
    EXPECT_THAT(stored_names(*make("t5", {{"sinks", std::int64_t{2}}, {"draw", text("integers")}})),
                ElementsAre("weight"));
    EXPECT_THAT(stored_names(*make("t5", {{"sink_logit", true}, {"temperature", text("ssmax")}})),
                UnorderedElementsAre("weight", "temperature", "sink_logit"));
    PositionConfig config;
    config.layers = {{"none", 0, {{"temperature", text("head_scale")}}}, {"t5", 0, {{"sink_logit", true}}}};
    EXPECT_THAT(stored_names(*make_positions(config, {kLayers, 16, kHeads, 16})),
                UnorderedElementsAre("0.temperature", "1.weight", "1.sink_logit"));
}

TEST(Modifiers, TwoOfThemActTogether) {
    const auto method = make("alibi", {{"temperature", text("head_scale")}, {"sink_logit", true}});
    for (const auto& item : method->named_parameters()) {
        EXPECT_EQ(item.value().sizes(), at::IntArrayRef({kLayers, kHeads}));
        const bool temperature = stored_position_name(item.key()) == "temperature";
        EXPECT_TRUE(item.value().eq(temperature ? 1.0 : 0.0).all().item<bool>()) << item.key();
        const torch::NoGradGuard no_grad;
        item.value().copy_(torch::arange(kLayers * kHeads).view({kLayers, kHeads}).add(temperature ? 2 : 10));
    }
    EXPECT_TRUE(method->bias_differs_by_layer());
    for (std::int64_t layer = 0; layer < kLayers; ++layer) {
        EXPECT_FALSE(method->bias_as_before(layer));
        auto call = call_of(4, 4, layer);
        call.q = call.k = torch::randn({1, kHeads, 4, kHeadDim});
        const auto rotated = method->rotate(call);
        const auto number = torch::arange(kHeads).add(layer * kHeads);
        EXPECT_TRUE(rotated.q.equal(call.q.mul(number.add(2).view({-1, 1, 1}))));
        EXPECT_TRUE(rotated.k.equal(call.k));
        const auto spec = method->bias(call);
        EXPECT_TRUE(spec.sink_logit.equal(number.add(10).to(torch::kFloat)));
        EXPECT_TRUE(spec.slopes.defined());
    }
    method->reset_parameters();
    for (const auto& item : method->named_parameters()) {
        const bool temperature = stored_position_name(item.key()) == "temperature";
        EXPECT_TRUE(item.value().eq(temperature ? 1.0 : 0.0).all().item<bool>()) << item.key();
    }
}

// A configuration in which a key has no effect is refused.
TEST(Modifiers, SayWhenTheirOptionsHaveAnEffect) {
    const auto effective = [](const std::string& method, const std::string& key, OptionMap options,
                              std::int64_t window = 0) {
        Config config;
        config.position = {method, window, {}, std::move(options)};
        const auto& all = option_of(method, key)->conditions;
        return std::all_of(all.begin(), all.end(), [&](const Condition& one) { return one.holds(config); });
    };
    EXPECT_FALSE(effective("none", "temperature_length", {}));
    EXPECT_FALSE(effective("none", "temperature_length", {{"temperature", text("llama4")}}));
    EXPECT_TRUE(effective("none", "temperature_length", {{"temperature", text("log_n")}}));
    EXPECT_TRUE(effective("none", "temperature_floor", {{"temperature", text("llama4")}}));
    EXPECT_FALSE(effective("none", "sinks", {}));
    EXPECT_TRUE(effective("none", "sinks", {}, 8));
    EXPECT_FALSE(effective("alibi", "draw_max", {{"draw", text("none")}}));
    EXPECT_TRUE(effective("alibi", "draw_max", {{"draw", text("floats")}}));
    EXPECT_TRUE(effective("rotary", "range_window", {{"range", text("rerope")}}));
    EXPECT_FALSE(effective("rotary", "range_group", {{"range", text("rerope")}}));
    EXPECT_FALSE(effective("rotary", "range_window", {{"range", text("streaming")}}, 8));
    EXPECT_TRUE(effective("rotary", "range", {{"range", text("rerope")}}));
    EXPECT_FALSE(effective("rotary", "range", {{"range", text("rerope")}, {"draw", text("floats")}}));
    EXPECT_FALSE(effective("rotary", "range", {{"range", text("streaming")}}, 8));
    const OptionMap with_sinks = {{"range", text("streaming")}, {"sinks", std::int64_t{1}}};
    EXPECT_FALSE(effective("rotary", "range", with_sinks));
    EXPECT_TRUE(effective("rotary", "range", with_sinks, 8));
}

// ---- temperature ----

// The factor depends on the number of keys alone, however many of them are new.
TEST(Temperature, OfATokenIsThatOfItsPlace) {
    for (const auto* form : {"log_n", "ssmax", "head_scale", "llama4"}) {
        const auto method =
            make("rotary", {{"temperature", text(form)}, {"range", text("rerope")}}, /*train_length=*/8);
        const auto x = torch::randn({1, kHeads, 30, kHeadDim}, torch::kDouble);
        auto call = call_of(30, 30);
        call.q = call.k = x;
        PositionState state;
        call.state = &state;
        const auto whole = method->rotate(call);
        for (std::int64_t i = 0; i < 30; ++i) {
            auto one = call_of(i + 1, 1);
            one.q = one.k = x.narrow(2, i, 1);
            one.state = &state;
            const auto found = method->rotate(one);
            EXPECT_TRUE(found.q.allclose(whole.q.narrow(2, i, 1), 1e-12)) << form << i;
            EXPECT_TRUE(found.far_q.allclose(whole.far_q.narrow(2, i, 1), 1e-12)) << form << i;
        }
        // The far query has the near one's factor.
        const auto plain = make("rotary", {{"range", text("rerope")}}, 8)->rotate(call);
        const auto factor = whole.q.norm(2, 3).div(plain.q.norm(2, 3));
        EXPECT_TRUE(factor.allclose(whole.far_q.norm(2, 3).div(plain.far_q.norm(2, 3)), 1e-9)) << form;
    }
}

TEST(Temperature, LeavesShortWindowsAndTypesAsTheyAre) {
    const auto method = make("none", {{"temperature", text("log_n")}});
    auto call = call_of(16, 16);
    call.q = call.k = torch::randn({1, kHeads, 16, kHeadDim}).to(torch::kBFloat16);
    EXPECT_TRUE(method->rotate(call).q.is_same(call.q));
    call.keys = 17;
    const auto q = method->rotate(call).q;
    EXPECT_EQ(q.scalar_type(), torch::kBFloat16);
    EXPECT_TRUE(q.narrow(2, 0, 15).equal(call.q.narrow(2, 0, 15)));
    EXPECT_THAT(test::error_of([] {
                    make("none", {{"temperature", text("log_n")}}, 1);
                }),
                HasSubstr("position.temperature_length"));
}

// ---- range ----

// Keys that come one by one and in chunks give what they give at once.
TEST(Range, IsTheSameWithACache) {
    constexpr std::int64_t kLength = 23, kWindow = 5;
    for (const auto* form : {"rerope", "leaky_rerope", "self_extend", "lm_infinite", "streaming"}) {
        OptionMap options = {
            {"range", text(form)}, {"sinks", std::int64_t{2}}, {"scaling", text("yarn")}, {"factor", 4.0}};
        const bool of_sinks = form == text("lm_infinite") || form == text("streaming");
        if (!of_sinks) options["range_window"] = kWindow;
        const auto method = make("rotary", options);
        const auto q = torch::randn({1, kHeads, kLength, kHeadDim}, torch::kDouble), k = torch::randn_like(q),
                   v = torch::randn_like(q);
        BiasSpec spec;
        if (of_sinks) {
            spec.window = kWindow;
            spec.sinks = 2;
        }
        auto call = call_of(kLength, kLength);
        call.q = q;
        call.k = k;
        call.window = kWindow;
        const auto whole = method->rotate(call);
        const auto expected = test::plain_attention(whole, v, spec).out;
        for (const std::int64_t chunk : {1, 4}) {
            PositionState state;
            std::vector<at::Tensor> keys, far_keys;
            for (std::int64_t begin = 0; begin < kLength; begin += chunk) {
                const auto fresh = std::min(chunk, kLength - begin), end = begin + fresh;
                auto part = call_of(end, fresh);
                part.evaluated_length = kLength;
                part.window = kWindow;
                part.state = &state;
                part.q = q.narrow(2, begin, fresh);
                part.k = k.narrow(2, begin, fresh);
                auto rotated = method->rotate(part);
                keys.push_back(rotated.k);
                far_keys.push_back(rotated.far_k);
                rotated.k = torch::cat(keys, 2);
                rotated.far_k = torch::cat(far_keys, 2);
                const auto found = test::plain_attention(rotated, v.narrow(2, 0, end), spec).out;
                EXPECT_LT(found.sub(expected.narrow(2, begin, fresh)).abs().max().item<double>(), 1e-12)
                    << form << " " << chunk << " " << begin;
            }
        }
    }
}

TEST(Range, IsTheMethodItselfWhereNoKeyIsFar) {
    const auto method = make("rotary", {{"range", text("rerope")}});  // of half the trained length
    auto call = call_of(8, 8);
    call.q = call.k = torch::randn({1, kHeads, 8, kHeadDim});
    EXPECT_FALSE(method->rotate(call).far_q.defined());
    call = call_of(9, 9);
    call.q = call.k = torch::randn({1, kHeads, 9, kHeadDim});
    EXPECT_EQ(method->rotate(call).far_from, 8);
    EXPECT_THAT(test::error_of([] {
                    make("rotary", {{"range", text("rerope")}}, 0);
                }),
                HasSubstr("position.range_window"));
    const auto sinks = make("rotary", {{"range", text("streaming")}, {"sinks", std::int64_t{1}}});
    EXPECT_THAT(test::error_of([&] { sinks->rotate(call); }), HasSubstr("position.window"));
}

TEST(Range, ReadsTheWindowOfItsLayer) {
    const OptionMap options = {{"range", text("lm_infinite")}, {"sinks", std::int64_t{1}}};
    PositionConfig config;
    config.layers = {{"rotary", 4, options}, {"rotary", 6, options}};
    const auto method = make_positions(config, {kLayers, 16, kHeads, 16});
    for (std::int64_t layer = 0; layer < kLayers; ++layer) {
        auto call = call_of(9, 9, layer);
        call.q = call.k = torch::randn({1, kHeads, 9, kHeadDim});
        EXPECT_EQ(method->rotate(call).far_from, layer % 2 == 0 ? 4 : 6);
        EXPECT_EQ(method->bias(call).sinks, 1);
    }
}

}  // namespace
}  // namespace longbow
