// Tests the model as a whole: shapes, causality, options, names of its weights.
#include "longbow/model/language_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "longbow/core/error.h"
#include "longbow/model/autocast.h"
#include "unit/model/tiny.h"

namespace longbow {
namespace {

using test::every_method;
using test::largest_difference;
using test::random_tokens;
using test::tiny_config;
using test::tiny_model;

double loss_of(LanguageModel& model, const at::Tensor& tokens) {
    const auto hidden = model.hidden(tokens.slice(1, 0, -1)).flatten(0, 1);
    const auto targets = tokens.slice(1, 1).flatten();
    const auto loss = model.head().loss(hidden, targets, 1.0 / static_cast<double>(targets.size(0)));
    loss.backward();
    return loss.item<double>();
}

TEST(LanguageModel, ShapesAndCausality) {
    for (const auto& method : every_method()) {
        SCOPED_TRACE(method);
        const auto model = tiny_model(tiny_config(method));
        const torch::NoGradGuard no_grad;
        auto tokens = random_tokens(2, 13);
        const auto before = model->hidden(tokens);
        ASSERT_EQ(before.sizes(), at::IntArrayRef({2, 13, 24}));
        tokens.slice(1, 7).copy_(random_tokens(2, 6).add(1).remainder(test::kVocab));
        const auto after = model->hidden(tokens);
        EXPECT_LT(largest_difference(before.slice(1, 0, 7), after.slice(1, 0, 7)), 1e-12);
        EXPECT_GT(largest_difference(before.slice(1, 7), after.slice(1, 7)), 1e-3);
    }
}

TEST(LanguageModel, EveryOptionTrainsAStep) {
    std::vector<std::pair<std::string, Config>> cases;
    const auto add = [&](const std::string& name, auto change) {
        auto config = tiny_config("alibi", "fp32");
        change(config);
        cases.emplace_back(name, config);
    };
    add("default", [](Config&) {});
    add("gelu", [](Config& c) { c.model.activation = Activation::gelu; });
    add("swiglu", [](Config& c) { c.model.activation = Activation::swiglu; });
    add("rmsnorm", [](Config& c) { c.model.norm = NormKind::rmsnorm; });
    add("no final norm", [](Config& c) { c.model.final_norm = false; });
    add("no bias", [](Config& c) { c.model.bias = false; });
    add("key bias", [](Config& c) { c.model.key_bias = true; });
    add("untied", [](Config& c) { c.model.tie_output = false; });
    add("no scale", [](Config& c) { c.model.embedding_scale = EmbeddingScale::none; });
    add("gpt2", [](Config& c) { c.model.init = FirstWeights::gpt2; });
    add("reference", [](Config& c) { c.attention.backend = "reference"; });
    add("dropouts", [](Config& c) {
        c.model.dropout = c.model.attention_dropout = c.model.activation_dropout = c.model.output_dropout = 0.2;
    });
    for (const auto& method : every_method()) {
        cases.emplace_back(method, tiny_config(method, "fp32"));
    }
    for (const auto& [name, config] : cases) {
        SCOPED_TRACE(name);
        const auto model = tiny_model(config);
        const auto tokens = random_tokens(2, 17);
        const double before = loss_of(*model, tokens);
        EXPECT_TRUE(std::isfinite(before));
        {
            const torch::NoGradGuard no_grad;
            for (auto& parameter : model->parameters()) {
                ASSERT_TRUE(parameter.grad().defined());
                EXPECT_TRUE(parameter.grad().isfinite().all().item<bool>());
                parameter.sub_(parameter.grad(), 0.01);
            }
        }
        if (name != "dropouts") {
            EXPECT_LT(loss_of(*model, tokens), before);
        }
    }
}

TEST(LanguageModel, AttentionFollowsTheTypeOfTheWeights) {
    const auto model = tiny_model(tiny_config("alibi", "fp32"));
    EXPECT_EQ(model->attention().name(), "fused");
    EXPECT_TRUE(model->attention().skips());
    model->to(torch::kDouble);
    EXPECT_EQ(model->attention().name(), "sdpa");
    EXPECT_FALSE(model->attention().skips());
}

TEST(LanguageModel, SkippingIsMeasuredAndCanBeSwitchedOff) {
    const torch::NoGradGuard no_grad;
    auto config = tiny_config("alibi", "fp32");
    const auto tokens = random_tokens(1, 400);
    const auto visited = [&](double threshold) {
        config.attention.skip_threshold = threshold;
        const auto model = tiny_model(config);
        model->attention().measure_visited(true);
        model->hidden(tokens);
        model->attention().measure_visited(false);
        model->hidden(tokens);  // not counted
        return model->attention().visited();
    };
    const auto exact = visited(AttentionConfig().skip_threshold);
    ASSERT_TRUE(exact.has_value());
    EXPECT_LT(*exact, 1.0);
    EXPECT_LT(*visited(2.0), *exact);
    EXPECT_FALSE(visited(0.0).has_value());
    config.position.method = "sinusoidal";
    EXPECT_FALSE(visited(AttentionConfig().skip_threshold).has_value());
}

TEST(LanguageModel, StoredTensorsCoverEveryParameterOnce) {
    for (const bool tied : {true, false}) {
        for (const auto activation : {Activation::relu, Activation::swiglu}) {
            auto config = tiny_config("t5");
            config.model.tie_output = tied;
            config.model.activation = activation;
            const auto model = tiny_model(config);
            std::set<std::string> names;
            std::int64_t numbers = 0;
            for (const auto& stored : model->stored_tensors()) {
                EXPECT_TRUE(names.insert(stored.name).second) << stored.name;
                numbers += stored.tensor.numel();
            }
            EXPECT_EQ(numbers, model->parameter_count());
            EXPECT_TRUE(names.contains("embed.tokens.weight"));
            EXPECT_TRUE(names.contains("layers.1.attention.k.weight"));
            EXPECT_FALSE(names.contains("layers.1.attention.k.bias"));
            EXPECT_TRUE(names.contains("position.weight"));
            EXPECT_TRUE(names.contains("final_norm.bias"));
            EXPECT_EQ(names.contains("head.weight"), !tied);
            EXPECT_EQ(names.contains("layers.0.ffn.gate.weight"), activation == Activation::swiglu);

            // Each is a run of one parameter's elements, in that parameter's memory.
            const auto parameters = model->parameters();
            for (const auto& stored : model->stored_tensors()) {
                EXPECT_TRUE(stored.tensor.is_contiguous()) << stored.name;
                const auto holds = [&](const at::Tensor& parameter) { return parameter.is_alias_of(stored.tensor); };
                EXPECT_EQ(std::count_if(parameters.begin(), parameters.end(), holds), 1) << stored.name;
            }
        }
    }
}

TEST(LanguageModel, StoredViewsWriteThrough) {
    const auto model = tiny_model(tiny_config());
    const torch::NoGradGuard no_grad;
    for (const auto& stored : model->stored_tensors()) {
        if (stored.name == "layers.0.attention.v.weight") {
            stored.tensor.fill_(7.0);
        }
    }
    const auto parameters = model->named_parameters();
    const auto& qkv = parameters["layer0.qkv_weight"];
    EXPECT_TRUE(qkv.slice(0, 48).eq(7.0).all().item<bool>());
    EXPECT_FALSE(qkv.slice(0, 0, 48).eq(7.0).any().item<bool>());
}

TEST(LanguageModel, WeightDecayLeavesNormsBiasesAndPositionsAlone) {
    auto config = tiny_config("t5");
    config.model.tie_output = false;
    const auto model = tiny_model(config);
    for (const auto& item : model->named_parameters()) {
        const bool expected = item.value().dim() == 2 && item.key() != "position.weight";
        EXPECT_EQ(model->decays(item.value()), expected) << item.key();
        EXPECT_EQ(model->decays(item.value().detach().view({-1}).slice(0, 1)), expected) << "a part of " << item.key();
    }
}

TEST(LanguageModel, SameSeedSameWeights) {
    const auto a = tiny_model(tiny_config("t5"), 3)->stored_tensors();
    const auto b = tiny_model(tiny_config("t5"), 3)->stored_tensors();
    const auto c = tiny_model(tiny_config("t5"), 4)->stored_tensors();
    for (std::size_t i = 0; i < a.size(); ++i) {
        EXPECT_TRUE(a[i].tensor.equal(b[i].tensor)) << a[i].name;
    }
    EXPECT_FALSE(a[0].tensor.equal(c[0].tensor));
}

TEST(LanguageModel, InitialDeviationsOfTheFairseqRecipe) {
    auto config = tiny_config();
    config.model.dim = 96;
    config.model.ffn_dim = 192;
    const auto model = tiny_model(config);
    for (const auto& stored : model->stored_tensors()) {
        const auto largest = stored.tensor.abs().max().item<double>();
        if (stored.name == "layers.0.attention.q.weight") {
            EXPECT_NEAR(largest, std::sqrt(6.0 / 192) / std::sqrt(2.0), 1e-3);
        } else if (stored.name == "layers.0.attention.out.weight") {
            EXPECT_NEAR(largest, std::sqrt(6.0 / 192), 1e-3);
        } else if (stored.name == "layers.0.ffn.out.weight") {
            EXPECT_NEAR(largest, std::sqrt(1.0 / 192), 1e-3);
        } else if (stored.name == "embed.tokens.weight") {
            EXPECT_NEAR(stored.tensor.std().item<double>(), 1.0 / std::sqrt(96.0), 5e-3);
        }
    }
}

TEST(LanguageModel, HalfPrecisionStaysNear) {
    const auto config = tiny_config("rotary", "fp32");
    const auto model = tiny_model(config);
    const torch::NoGradGuard no_grad;
    const auto tokens = random_tokens(2, 12);
    const auto exact = model->hidden(tokens);
    const AutocastScope scope(at::kCPU, at::kBFloat16);
    const auto rounded = model->hidden(tokens);
    EXPECT_GT(largest_difference(exact, rounded), 1e-5);
    EXPECT_LT(largest_difference(exact, rounded), 0.1);
}

TEST(LanguageModel, RefusesWhatItCannotBuild) {
    auto config = tiny_config();
    config.model.heads = 5;
    EXPECT_THROW(tiny_model(config), ConfigError);
    config = tiny_config("rotary");
    config.model.heads = 8;  // 3 numbers per head, which do not make pairs
    EXPECT_THROW(tiny_model(config), ConfigError);
    config = tiny_config("alibbi");
    EXPECT_THROW(tiny_model(config), ConfigError);
}

TEST(LanguageModel, LearnedPositionsEndWithTheirTable) {
    const auto model = tiny_model(tiny_config("learned"));
    EXPECT_EQ(model->position().max_length(), 64);
    const torch::NoGradGuard no_grad;
    EXPECT_NO_THROW(model->hidden(random_tokens(1, 64)));
    EXPECT_THROW(model->hidden(random_tokens(1, 65)), UsageError);
}

}  // namespace
}  // namespace longbow
