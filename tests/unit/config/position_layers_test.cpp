// Tests position.layers: reading, checks, printing, fingerprints.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "context.h"
#include "longbow/config/fields.h"
#include "longbow/core/error.h"
#include "unit/error_of.h"

namespace longbow {
namespace {

using testing::HasSubstr;

constexpr const char* kHybrid =
    "model: {layers: 4}\n"
    "position:\n"
    "  layers:\n"
    "    - method: rotary\n"
    "      window: 512\n"
    "      options:\n"
    "        base: 2000.0\n"
    "    - {method: none}\n"
    "    - {method: t5, options: {buckets: 32, shared: false}}\n";

Config parsed(const std::string& yaml) { return parse_config(yaml, "a.yaml", test_context()); }

std::string refusal(const std::string& yaml) {
    return test::error_of<ConfigError>([&] { (void)parsed(yaml); });
}

TEST(PositionLayers, AreRead) {
    const auto layers = parsed(kHybrid).position.layers;
    ASSERT_EQ(layers.size(), 3U);
    EXPECT_EQ(layers[0], (PositionLayer{"rotary", 512, {{"base", 2000.0}}}));
    EXPECT_EQ(layers[1], (PositionLayer{"none", 0, {}}));
    EXPECT_EQ(layers[2], (PositionLayer{"t5", 0, {{"shared", false}}})) << "a default says nothing";
    EXPECT_EQ(parsed(kHybrid).position.method_names(), "rotary+none+t5");
    EXPECT_EQ(Config{}.position.method_names(), "alibi");
    const auto given =
        load_config({{}, {"position.layers=[{method: rotary, window: 512, options: {base: 2000.0}}, {method: none}]"}},
                    test_context());
    EXPECT_EQ(given.position.layers, (std::vector<PositionLayer>{layers[0], layers[1]}));
    EXPECT_EQ(parsed("position: {layers: {method: none}}\n").position.layers.size(), 1U) << "one needs no brackets";
    EXPECT_TRUE(parsed("position: {layers: null}\n").position.layers.empty());
}

TEST(PositionLayers, ArePrintedAndComeBack) {
    const auto config = parsed(kHybrid);
    const auto text = config_yaml(config, test_context());
    EXPECT_THAT(text, HasSubstr("layers: [{method: rotary, window: 512, options: {base: 2000}}, {method: none}, "
                                "{method: t5, options: {shared: false}}]"));
    EXPECT_THAT(text, testing::Not(HasSubstr("\n  method:")));
    EXPECT_EQ(parsed(text), config);
    EXPECT_EQ(config_from_json(config_json(config, test_context()), "json", test_context()), config);
    const Json schema = config_schema(test_context())["properties"]["position"]["properties"]["layers"];
    EXPECT_EQ(schema["anyOf"][0]["items"]["properties"]["method"]["enum"][0], "alibi");
    EXPECT_EQ(schema["default"], Json::array());
    EXPECT_THAT(config_reference(test_context()), HasSubstr("| `position.layers` | list of mappings |"));
}

TEST(PositionLayers, CountInFingerprintsWhenSet) {
    const auto print = [](const std::string& yaml) { return config_fingerprint(parsed(yaml), test_context()); };
    EXPECT_EQ(print(""), print("position: {layers: []}\n"));
    EXPECT_NE(print("position: {layers: [{method: alibi}]}\n"), print(""));
    EXPECT_EQ(print("position: {layers: [{method: t5}]}\n"),
              print("position: {layers: [{method: t5, window: 0, options: {buckets: 32}}]}\n"));
    const auto differences =
        config_differences(parsed(""), parsed("position: {layers: [{method: t5}]}\n"), test_context());
    std::vector<std::string> keys;
    for (const auto& one : differences) keys.push_back(one.key);
    EXPECT_THAT(keys, testing::UnorderedElementsAre("position.layers", "position.method", "position.slopes",
                                                    "position.window", "attention.skip_threshold"));
}

TEST(PositionLayers, EachEntryIsChecked) {
    for (
        const auto& [yaml, message] : std::vector<std::pair<std::string, std::string>>{
            {"position:\n  layers:\n    - {method: none}\n    - method: rotari\n",
             "a.yaml:4: position.layers[1].method: 'rotari' is none of alibi, none, rotary, t5; did you mean 'rotary'?"},
            {"position:\n  layers:\n    - method: none\n      windw: 4\n",
             "a.yaml:4: unknown key 'windw', did you mean 'window'?"},
            {"position:\n  layers:\n    - window: 4\n", "a.yaml:3: position.layers[0]: an entry needs a method"},
            {"position:\n  layers:\n    - method: none\n      window: -1\n",
             "a.yaml:4: position.layers[0].window: -1 is out of range"},
            {"position:\n  layers:\n    - method: t5\n      options:\n        bukets: 4\n",
             "a.yaml:5: position.layers[0]: method t5 has no option 'bukets', did you mean 'buckets'?"},
            {"position:\n  layers:\n    - method: rotary\n      options: {base: 0.5}\n",
             "a.yaml:4: position.layers[0].options.base: 0.5 is out of range"},
            {"position:\n  layers:\n    - method: none\n      options: {base: 2}\n",
             "a.yaml:4: position.layers[0]: method none has no option 'base'; there are: none"},
            {"position:\n  layers:\n    - method: rotary\n      options: 3\n",
             "a.yaml:4: position.layers[0].options: expected a mapping"},
            {"position:\n  layers: [rotary]\n",
             "a.yaml:2: position.layers[0]: expected a mapping of method, window and options"},
            {"position:\n  layers: rotary\n", "a.yaml:2: position.layers: expected a list of {method"},
            {"position:\n  layers:\n    - {method: none, method: t5}\n", "a.yaml:3: method is written here twice"},
            {"model: {layers: 1}\nposition:\n  layers: [{method: none}, {method: t5}]\n",
             "a.yaml:3: position.layers: 2 entries are more than model.layers (1)"},
        }) {
        EXPECT_THAT(refusal(yaml), HasSubstr(message)) << yaml;
    }
}

TEST(PositionLayers, StandInPlaceOfAMethod) {
    EXPECT_THAT(refusal("position:\n  method: t5\n  layers: [{method: none}]\n"),
                HasSubstr("a.yaml:2: position.method has no effect here: it needs no position.layers, and "
                          "position.layers is [{method: none}]"));
    EXPECT_THAT(refusal("position:\n  window: 4\n  layers: [{method: none}]\n"),
                HasSubstr("position.window has no effect here"));
    EXPECT_THAT(refusal("position:\n  layers: [{method: t5}]\n  buckets: 4\n"),
                HasSubstr("a.yaml:3: position.buckets has no effect with position.layers"));
    EXPECT_THAT(refusal("attention: {skip_threshold: 9}\nposition: {layers: [{method: none}]}\n"),
                HasSubstr("attention.skip_threshold has no effect here"));
    EXPECT_NO_THROW(
        (void)parsed("attention: {skip_threshold: 9}\nposition: {layers: [{method: none}, {method: alibi}]}\n"));
}

TEST(PositionLayers, OverridesOfWhatLongbowWrote) {
    const auto context = test_context();
    const auto with = [&](const Config& config, const std::vector<std::string>& overrides) {
        LoadRequest request{{}, overrides};
        request.base = config_json(config, context);
        request.base_name = "checkpoint";
        return load_config(request, context);
    };
    const auto flat = parsed("position: {slopes: geometric}\n"), hybrid = parsed(kHybrid);
    EXPECT_EQ(with(hybrid, {}), hybrid);
    const auto layered = with(flat, {"position.layers=[{method: none}]"});
    EXPECT_EQ(layered.position.layers.size(), 1U);
    EXPECT_TRUE(layered.position.options.empty());
    EXPECT_EQ(layered.position.method, Config{}.position.method);
    const auto again = with(hybrid, {"position.method=rotary", "position.base=2"});
    EXPECT_TRUE(again.position.layers.empty());
    EXPECT_EQ(option_double(again.position.options, "base"), 2);
    EXPECT_THROW((void)with(hybrid, {"position.base=2"}), ConfigError);
}

// An option that needs another one.
TEST(PositionLayers, AnOptionWithoutEffectIsRefused) {
    auto context = test_context();
    for (auto& method : context.position_methods) {
        if (method.name != "rotary") continue;
        method.options.push_back({.key = "factor",
                                  .default_value = 1.0,
                                  .help = "Stretch",
                                  .conditions = {{"position.base", "position.base above 1", [](const Config& c) {
                                                      return option_double(c.position.options, "base") > 1;
                                                  }}}});
    }
    const auto read = [&](const std::string& options) {
        return test::error_of<ConfigError>([&] {
            (void)parse_config("position:\n  layers:\n    - method: rotary\n      options: " + options + "\n", "a.yaml",
                               context);
        });
    };
    EXPECT_EQ(read("{factor: 2}"), "no error");
    EXPECT_THAT(read("{base: 1, factor: 2}"),
                HasSubstr("a.yaml:4: position.layers[0].options.factor has no effect here: "
                          "it needs position.base above 1 in the same entry"));
}

}  // namespace
}  // namespace longbow
