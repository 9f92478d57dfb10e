// Tests properties of the declared settings and of what is generated from them (YAML, schema, reference, fingerprints).
#include "longbow/config/fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <regex>
#include <set>

#include "context.h"
#include "longbow/core/error.h"
#include "longbow/core/hash.h"
#include "longbow/core/random.h"
#include "unit/error_of.h"

namespace longbow {
namespace {

using ::testing::HasSubstr;

std::string random_text(Random& random) {
    static const std::vector<std::string> pieces = {
        "a", "store", "/", ".", "..", " ", "-", "'",  "\"", "#",  ": ",   "null", "true", "07", "1e3", "[", "{", "*",
        "&", "!",     "%", "@", "`",  "|", ">", "\\", "\n", "\t", "\x7f", "é",    "日本", "😀",  ",",   "?", "~"};
    std::string text;
    for (auto n = 1 + random.below(6); n > 0; --n) text += pieces[random.below(pieces.size())];
    return text;
}

double random_number(Random& random, const Field& field) {
    const double low = field.minimum.value_or(-1e6), high = field.maximum.value_or(1e6);
    switch (random.below(3)) {
        case 0: return field.open_minimum ? std::nextafter(low, high) : low;
        case 1: return field.open_maximum ? std::nextafter(high, low) : high;
        default: return low + (high - low) * std::max(1e-9, random.uniform());
    }
}

std::int64_t random_integer(Random& random, const Field& field) {
    const auto low = static_cast<std::int64_t>(field.minimum.value_or(-1e6)),
               high = static_cast<std::int64_t>(field.maximum.value_or(1e9));
    return low + static_cast<std::int64_t>(
                     random.below(static_cast<std::uint64_t>(std::min<std::int64_t>(high - low, 5000)) + 1));
}

FieldValue random_value(Random& random, const Field& field) {
    switch (field.default_value.index()) {
        case 0: return random.below(2) == 0;
        case 1: return random_integer(random, field);
        case 2: return random_number(random, field);
        case 3: return field.allowed.empty() ? random_text(random) : field.allowed[random.below(field.allowed.size())];
        case 4:
            return Duration{static_cast<double>(1 + random.below(1000)), static_cast<Duration::Unit>(random.below(4))};
        case 5: {
            std::set<std::int64_t> items;
            for (auto n = random.below(4); n > 0; --n) items.insert(random_integer(random, field));
            return std::vector<std::int64_t>(items.begin(), items.end());
        }
        case 6: {
            std::set<std::string> items;
            for (auto n = random.below(4); n > 0; --n) items.insert(random_text(random));
            return std::vector<std::string>(items.begin(), items.end());
        }
        default: {
            std::vector<PositionLayer> layers;
            for (auto n = random.below(3); n > 0; --n) {
                const auto window = static_cast<std::int64_t>(random.below(3));
                if (random.below(2) == 0) {
                    layers.push_back({"rotary", window, {{"base", 1 + 1e6 * random.uniform()}}});
                } else {
                    layers.push_back({"t5", window, {{"shared", false}}});
                }
            }
            return layers;
        }
    }
}

// Draws the values of about half of the keys and sets those without effect back to their defaults.
Config random_config(Random& random, const ConfigContext& context) {
    Config config;
    for (const auto& field : config_fields(context)) {
        if (random.below(2) == 0) field.set(config, random_value(random, field));
    }
    for (int round = 0; round < 3; ++round) {  // a default may take away the effect of another key
        for (const auto& field : config_fields(context)) {
            if (field.without_effect(config) != nullptr) field.set(config, field.default_value);
        }
    }
    for (const auto& selector : selectors()) {
        for (const auto& field : option_fields(context, selector, selector.chosen(config))) {
            field.set(config, random.below(2) == 0 ? random_value(random, field) : field.default_value);
        }
    }
    return config;
}

TEST(Fields, DefaultsAreInRangeAndWrittenAsTheyAreRead) {
    const auto context = test_context();
    auto fields = config_fields(context);
    for (const auto& selector : selectors()) {
        for (const auto& variant : context.*selector.variants) {
            for (auto& field : option_fields(context, selector, variant.name)) fields.push_back(field);
        }
    }
    const Config defaults;
    std::set<std::string> paths;
    for (const auto& field : fields) {
        EXPECT_TRUE(paths.insert(field.path()).second) << field.path() << " is declared twice";
        EXPECT_FALSE(field.help.empty()) << field.path();
        EXPECT_EQ(field.get(defaults), field.default_value) << field.path();
        if (const auto* number = std::get_if<double>(&field.default_value)) {
            EXPECT_GE(*number, field.minimum.value_or(*number)) << field.path();
            EXPECT_LE(*number, field.maximum.value_or(*number)) << field.path();
        }
        if (const auto* number = std::get_if<std::int64_t>(&field.default_value)) {
            EXPECT_GE(static_cast<double>(*number), field.minimum.value_or(0)) << field.path();
            EXPECT_LE(static_cast<double>(*number), field.maximum.value_or(1e18)) << field.path();
        }
        if (!field.allowed.empty()) {
            EXPECT_THAT(field.allowed, ::testing::Contains(std::get<std::string>(field.default_value))) << field.path();
        }
        for (const auto& condition : field.conditions) {
            EXPECT_THAT(fields, ::testing::Contains(
                                    ::testing::ResultOf([](const Field& f) { return f.path(); }, condition.decider)))
                << field.path();
        }
    }
}

TEST(Fields, EverySectionHasFields) {
    std::set<std::string> declared, used;
    for (const auto& section : config_sections()) declared.insert(section.name);
    for (const auto& field : config_fields(test_context())) used.insert(field.section);
    EXPECT_EQ(declared, used);
}

TEST(Fields, RandomConfigurationsSurviveYamlAndJson) {
    const auto context = test_context();
    int accepted = 0;
    for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
        Random random(seed);
        const Config config = random_config(random, context);
        const std::string yaml = config_yaml(config, context);
        try {
            ASSERT_EQ(parse_config(yaml, "x.yaml", context), config) << "seed " << seed << "\n" << yaml;
        } catch (const ConfigError& error) {
            // Keys that are drawn at random may contradict each other. These messages say so; any other error is a
            // failure.
            const std::string what = error.what();
            ASSERT_TRUE(what.find("multiple of") != what.npos || what.find("warm-up") != what.npos ||
                        what.find("peak") != what.npos || what.find("vocab") != what.npos ||
                        what.find("one seed") != what.npos || what.find("longest window") != what.npos ||
                        what.find("function of the update") != what.npos ||
                        what.find("must know its length") != what.npos ||
                        what.find("leaves no element for band") != what.npos ||
                        what.find("entries are more than model.layers") != what.npos ||
                        what.find("not a mixture") != what.npos || what.find("are too many") != what.npos)
                << "seed " << seed << ": " << what << "\n"
                << yaml;
            continue;
        }
        ++accepted;
        const Config again = config_from_json(config_json(config, context), "x.json", context);
        ASSERT_EQ(again, config) << "seed " << seed;
        ASSERT_TRUE(config_differences(config, again, context).empty());
        ASSERT_EQ(config_yaml(again, context), yaml);
    }
    EXPECT_GT(accepted, 30);
}

// YAML 1.1 decides by these patterns which values are not text (https://yaml.org/type/float.html and its neighbours, as
// in PyYAML).
TEST(Fields, ReadersOfYaml11SeeTheSameTypes) {
    const std::regex number(R"([-+]?[0-9]+|[-+]?[0-9]+\.[0-9]*([eE][-+][0-9]+)?)");
    EXPECT_EQ(value_text(1e-8), "1.0e-08");
    EXPECT_EQ(value_text(-3e+20), "-3.0e+20");
    EXPECT_EQ(value_text(2.5e-5), "2.5e-05");
    EXPECT_EQ(value_text(0.001), "0.001");
    Random random(1);
    for (int i = 0; i < 2000; ++i) {
        const double value =
            std::ldexp(i % 3 == 0 ? 1.0 : random.uniform(), static_cast<int>(random.below(2000)) - 1000);
        EXPECT_TRUE(std::regex_match(value_text(value), number)) << value_text(value);
        EXPECT_EQ(std::stod(value_text(value)), value);
    }
    for (const std::string text : {"No", "YES", "on", "Off", "True", "null", "NULL", "~", ".5", ".inf", ".NaN", "1e-8",
                                   "12", "0x1f", "1_000", "=", "<<"}) {
        EXPECT_EQ(value_text(text), "\"" + text + "\"");
    }
    for (const std::string text : {"adamw", "runs/a", "./store", "/data/x-1.txt", "none", "e8", "Nothing"})
        EXPECT_EQ(value_text(text), text);
}

TEST(Fields, SkippingIsForMethodsThatDeclareSlopes) {
    auto context = test_context();
    context.position_methods.push_back({"mine", "A user's own", {}, true});
    const auto with = [&](const std::string& method) {
        return parse_config("position: {method: " + method + "}\nattention: {skip_threshold: 9}\n", "a.yaml", context);
    };
    EXPECT_EQ(with("mine").attention.skip_threshold, 9.0);
    EXPECT_EQ(with("alibi").attention.skip_threshold, 9.0);
    EXPECT_THAT(
        test::error_of<ConfigError>([&] { with("t5"); }),
        HasSubstr(
            "attention.skip_threshold has no effect here: it needs a position.method with slopes (alibi, mine), and position.method is t5"));
    EXPECT_THAT(config_reference(context), HasSubstr("Only with a position.method with slopes (alibi, mine) and"));
}

TEST(Fields, DifferencesNameTheKeys) {
    const auto context = test_context();
    const Config before = parse_config("", "a", context);
    const Config after = parse_config("optim: {name: sgd, lr: 0.5}\nposition: {method: rotary}\n", "b", context);
    std::vector<std::string> lines;
    for (const auto& d : config_differences(before, after, context))
        lines.push_back(d.key + ": " + d.before + " -> " + d.after);
    EXPECT_THAT(lines,
                ::testing::UnorderedElementsAre(
                    "position.method: alibi -> rotary", "position.base: (no effect) -> 10000",
                    "position.slopes: authors -> (no effect)", "optim.name: adamw -> sgd", "optim.lr: 0.001 -> 0.5",
                    "optim.momentum: (no effect) -> 0.9", "optim.nesterov: (no effect) -> false",
                    "optim.beta1: 0.9 -> (no effect)", "optim.beta2: 0.98 -> (no effect)",
                    "optim.eps: 1.0e-08 -> (no effect)", testing::StartsWith("attention.skip_threshold: 16.6355")));
}

TEST(Fields, TextIsForgottenWhole) {
    Config config = parse_config(
        "data: {store: s, train: a.txt, valid: b.txt, documents: line, expect_vocab_size: 9}\ntokenizer: {vocab_size: 300}\n",
        "a", test_context());
    reset_text_keys(config);
    EXPECT_EQ(config, parse_config("data: {store: s, expect_vocab_size: 9}\n", "b", test_context()));
    for (const auto* key :
         {"data.train", "data.documents", "tokenizer.kind", "tokenizer.file", "data.expect_vocab_size"}) {
        EXPECT_TRUE(describes_text(key)) << key;
        EXPECT_FALSE(decides_weights(key)) << key;
    }
    EXPECT_FALSE(describes_text("data.store"));
    EXPECT_TRUE(decides_weights("data.store"));
    EXPECT_TRUE(decides_weights("optim.lr"));
}

TEST(Fields, SchemaHoldsEveryKeyAndTheMethodsOptions) {
    const auto context = test_context();
    const Json schema = config_schema(context);
    for (const auto& field : config_fields(context)) {
        ASSERT_TRUE(schema["properties"][field.section]["properties"].contains(field.name)) << field.path();
    }
    EXPECT_EQ(schema["properties"]["model"]["properties"]["layers"]["type"], Json::parse(R"(["integer", "null"])"));
    EXPECT_EQ(schema["properties"]["optim"]["properties"]["beta1"]["exclusiveMaximum"], 1.0);
    EXPECT_EQ(schema["properties"]["model"]["additionalProperties"], false);
    const Json& variants = schema["properties"]["position"]["allOf"];
    ASSERT_EQ(variants.size(), 4U);
    EXPECT_EQ(variants[0]["if"], Json::parse(R"({"properties": {"method": {"const": "alibi"}}})"));
    EXPECT_EQ(variants[3]["if"], Json::parse(R"({"properties": {"method": {"const": "t5"}}, "required": ["method"]})"));
    EXPECT_TRUE(variants[3]["then"]["properties"].contains("buckets"));
}

TEST(Fields, ReferenceHoldsEveryKey) {
    const std::string text = config_reference(test_context());
    for (const auto& field : config_fields(test_context())) EXPECT_THAT(text, HasSubstr("| `" + field.path() + "` |"));
    EXPECT_THAT(text, HasSubstr("### position.method: t5"));
}

// Rows of results.jsonl are found by this fingerprint, so rows from before a key existed must still be found.
TEST(Fields, ANewerKeyChangesNoFingerprintAtItsDefault) {
    const auto context = test_context();
    auto config = parse_config("", "test", context);
    const auto before = config_fingerprint(config, context);
    Json old_keys = config_json(config, context);
    for (const auto& field : effective_fields(config, context)) {
        if (!field.since_version.empty()) old_keys[field.section].erase(field.name);
        if (old_keys[field.section].empty()) old_keys.erase(field.section);
    }
    EXPECT_EQ(before, fingerprint(old_keys.dump())) << "keys of 0.2.0 and before are all in it";

    auto fields = effective_fields(config, context);
    Field field;  // as a later version might declare it, over an existing member
    field.section = "log";
    field.name = "newer";
    field.default_value = std::int64_t{0};
    field.get = [](const Config& of) { return FieldValue(of.eval.valid_tokens); };
    fields.push_back(field.since("0.3.0"));
    config.eval.valid_tokens = 0;
    const auto without = fields_fingerprint(config, effective_fields(config, context));
    EXPECT_EQ(fields_fingerprint(config, fields), without);
    config.eval.valid_tokens = 5;
    EXPECT_NE(fields_fingerprint(config, fields), fields_fingerprint(config, effective_fields(config, context)));
    fields.back().since_version.clear();
    config.eval.valid_tokens = 0;
    EXPECT_NE(fields_fingerprint(config, fields), without) << "an undeclared new key loses the rows of before";
}

TEST(Fields, ANewerOptionOfAMethodChangesNoFingerprintAtItsDefault) {
    auto context = test_context();
    const std::string yaml = "position: {method: rotary}";
    const auto before = config_fingerprint(parse_config(yaml, "test", context), context);
    auto& options = context.position_methods.at(2).options;
    options.push_back({"scale", 1.0, "Newer than the rows", {}, 0.0, 10.0, "0.3.0"});
    EXPECT_EQ(config_fingerprint(parse_config(yaml, "test", context), context), before);
    EXPECT_NE(config_fingerprint(parse_config("position: {method: rotary, scale: 2.0}", "test", context), context),
              before);
    options.back().since.clear();
    EXPECT_NE(config_fingerprint(parse_config(yaml, "test", context), context), before);
}

}  // namespace
}  // namespace longbow
