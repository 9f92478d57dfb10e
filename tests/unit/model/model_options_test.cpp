// Compares the model with its definition written out (plain_model.h), values and gradients, for each order of norms and
// sub-layers and each option, with each attention back-end.
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "longbow/core/error.h"
#include "longbow/model/autocast.h"
#include "longbow/model/flops.h"
#include "longbow/model/linear.h"
#include "unit/model/gemm_scope.h"
#include "unit/model/plain_model.h"
#include "unit/model/tiny.h"

namespace longbow {
namespace {

using test::largest_difference;
using test::tiny_config;

struct Option {
    std::string name;
    std::function<void(Config&)> set;
};

const std::vector<Option>& options() {
    static const std::vector<Option> all = {
        {"plain", [](Config&) {}},
        {"grouped", [](Config& c) { c.model.heads = 6, c.model.kv_heads = 2, c.model.head_dim = 8; }},
        {"one_head_of_keys", [](Config& c) { c.model.kv_heads = 1; }},
        {"head_dim", [](Config& c) { c.model.head_dim = 16; }},
        {"grouped_head_dim", [](Config& c) { c.model.heads = 4, c.model.kv_heads = 2, c.model.head_dim = 16; }},
        {"gelu_tanh", [](Config& c) { c.model.activation = Activation::gelu_tanh; }},
        {"gelu_bloom", [](Config& c) { c.model.activation = Activation::gelu_bloom; }},
        {"geglu_tanh", [](Config& c) { c.model.activation = Activation::geglu_tanh; }},
        {"rmsnorm_1p", [](Config& c) { c.model.norm = NormKind::rmsnorm_1p; }},
        {"no_norm_weights", [](Config& c) { c.model.norm_weights = false; }},
        {"no_norm_weights_rms",
         [](Config& c) {
             c.model.norm_weights = false, c.model.norm = NormKind::rmsnorm, c.model.qk_norm = QkNorm::head;
         }},
        {"norm_bias_off", [](Config& c) { c.model.norm_bias = PartBias::off; }},
        {"norm_bias_alone", [](Config& c) { c.model.bias = false, c.model.norm_bias = PartBias::on; }},
        {"qkv_bias_alone",
         [](Config& c) { c.model.bias = false, c.model.qkv_bias = PartBias::on, c.model.key_bias = true; }},
        {"qv_bias_alone",
         [](Config& c) { c.model.bias = false, c.model.qkv_bias = PartBias::on, c.model.kv_heads = 1; }},
        {"out_bias_alone", [](Config& c) { c.model.bias = false, c.model.out_bias = PartBias::on; }},
        {"ffn_bias_alone", [](Config& c) { c.model.bias = false, c.model.ffn_bias = PartBias::on; }},
        {"head_bias", [](Config& c) { c.model.head_bias = true; }},
        {"head_bias_untied", [](Config& c) { c.model.head_bias = true, c.model.tie_output = false; }},
        {"embedding_norm", [](Config& c) { c.model.embedding_norm = true; }},
        {"qk_norm_head", [](Config& c) { c.model.qk_norm = QkNorm::head, c.model.kv_heads = 1; }},
        {"qk_norm_whole", [](Config& c) { c.model.qk_norm = QkNorm::whole, c.model.kv_heads = 1; }},
        {"qk_norm_1p", [](Config& c) { c.model.qk_norm = QkNorm::head, c.model.norm = NormKind::rmsnorm_1p; }},
        {"qk_norm_rotary", [](Config& c) { c.model.qk_norm = QkNorm::head, c.position.method = "rotary"; }},
        {"qkv_clip", [](Config& c) { c.model.qkv_clip = 0.4; }},
        {"score_scale", [](Config& c) { c.model.score_scale = 0.9; }},
        {"score_scale_by_layer", [](Config& c) { c.model.score_scale_by_layer = true; }},
        {"both_score_scales", [](Config& c) { c.model.score_scale_by_layer = true, c.model.score_scale = 0.9; }},
        {"embedding_dim", [](Config& c) { c.model.embedding_dim = 10, c.model.embedding_norm = true; }},
        {"embedding_dim_untied",
         [](Config& c) { c.model.embedding_dim = 10, c.model.tie_output = false, c.model.head_bias = true; }},
        {"wide_embedding_dim", [](Config& c) { c.model.embedding_dim = 32; }},
        {"rotary", [](Config& c) { c.position.method = "rotary", c.model.kv_heads = 1; }},
        {"sinusoidal", [](Config& c) { c.position.method = "sinusoidal"; }},
    };
    return all;
}

// Every tensor gets values that differ from its first ones, so that none could be left out unnoticed.
void scramble(LanguageModel& model) {
    const torch::NoGradGuard no_grad;
    for (auto& parameter : model.parameters()) parameter.add_(torch::randn_like(parameter), 0.1);
}

test::Weights leaves_of(const LanguageModel& model) {
    test::Weights leaves;
    for (const auto& stored : model.stored_tensors())
        leaves[stored.name] = stored.tensor.to(torch::kDouble).clone().requires_grad_(true);
    return leaves;
}

// Returns the part of its parameter's gradient that belongs to a stored tensor.
at::Tensor gradient_of(const LanguageModel& model, const at::Tensor& stored) {
    for (const auto& parameter : model.parameters()) {
        if (!parameter.is_alias_of(stored)) continue;
        const auto gradient = parameter.grad().clone(at::MemoryFormat::Contiguous);  // from offset 0 on
        return gradient.as_strided(stored.sizes(), stored.strides(), stored.storage_offset());
    }
    return {};
}

void expect_definition(const Config& config, double tolerance) {
    const auto model = test::tiny_model(config);
    scramble(*model);
    model->train();
    const auto tokens = test::random_tokens(2, 14);
    const auto inputs = tokens.slice(1, 0, -1), targets = tokens.slice(1, 1);
    auto weights = leaves_of(*model);
    test::PlainModel plain(config, model->position(), weights);
    const auto expected = plain.log_probabilities(inputs);
    const auto nll = expected.gather(2, targets.unsqueeze(2)).neg().sum();

    const auto hidden = model->hidden(inputs).flatten(0, 1);
    const auto found = model->head().logits(hidden).log_softmax(1).view(expected.sizes());
    EXPECT_LT(largest_difference(found, expected), tolerance);
    EXPECT_LT(largest_difference(model->head().nll(hidden, targets.flatten()).sum(), nll), 30 * tolerance);
    model->head().loss(hidden, targets.flatten(), 1.0).backward();
    nll.backward();
    for (const auto& stored : model->stored_tensors()) {
        const auto wanted = weights.at(stored.name).grad();
        ASSERT_TRUE(wanted.defined()) << stored.name << " is not used by the definition";
        const auto gradient = gradient_of(*model, stored.tensor);
        ASSERT_TRUE(gradient.defined()) << stored.name;
        EXPECT_GT(wanted.abs().max().item<double>(), 0.0) << stored.name;
        const double scale = std::max(1.0, wanted.abs().max().item<double>());
        EXPECT_LT(largest_difference(gradient, wanted) / scale, 10 * tolerance) << stored.name;
    }
}

Config config_of(const Option& option, BlockKind block, const std::string& dtype) {
    auto config = tiny_config("alibi", dtype);
    config.model.block = block;
    option.set(config);
    return config;
}

class ModelOptions : public testing::TestWithParam<std::size_t> {};

TEST_P(ModelOptions, AreTheDefinition) {
    const auto& option = options()[GetParam()];
    for (const auto& [backend, dtype, tolerance] :
         {std::tuple{"reference", "fp64", 1e-11}, {"sdpa", "fp64", 1e-11}, {"fused", "fp32", 2e-4}}) {
        for (const auto block : {BlockKind::pre_norm, BlockKind::post_norm, BlockKind::parallel}) {
            SCOPED_TRACE(std::string(backend) + " " + std::string(name_of(block)));
            auto config = config_of(option, block, dtype);
            config.attention.backend = backend;
            expect_definition(config, tolerance);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Each, ModelOptions, testing::Range(std::size_t{0}, options().size()),
                         [](const auto& chosen) { return options()[chosen.param].name; });

class Blocks : public testing::TestWithParam<BlockKind> {};

// In fp32, ReLU and the norms have kernels of their own, and products may go through oneDNN.
TEST_P(Blocks, AreTheDefinition) {
    for (const auto norm : {NormKind::layernorm, NormKind::rmsnorm, NormKind::rmsnorm_1p}) {
        for (const auto activation : {Activation::relu, Activation::swiglu}) {
            SCOPED_TRACE(std::string(name_of(norm)) + " " + std::string(name_of(activation)));
            const Option option{"", [&](Config& c) { c.model.norm = norm, c.model.activation = activation; }};
            expect_definition(config_of(option, GetParam(), "fp64"), 1e-11);
            for (const auto library : {GemmLibrary::aten, GemmLibrary::onednn}) {
                const test::GemmScope scope(library);
                expect_definition(config_of(option, GetParam(), "fp32"), 2e-4);
            }
        }
    }
}

TEST_P(Blocks, RecomputeGivesTheSameGradients) {
    auto config = tiny_config("alibi", "fp32");
    config.model.block = GetParam();
    config.model.kv_heads = 1;
    config.model.dropout = 0.2;
    const auto gradients = [&](Recompute recompute) {
        config.train.recompute = recompute;
        const auto model = test::tiny_model(config);
        torch::manual_seed(9);
        const auto tokens = test::random_tokens(2, 33);
        model->head()
            .loss(model->hidden(tokens.slice(1, 0, -1)).flatten(0, 1), tokens.slice(1, 1).flatten(), 1.0)
            .backward();
        std::vector<at::Tensor> found;
        for (const auto& parameter : model->parameters()) found.push_back(parameter.grad());
        return found;
    };
    const auto kept = gradients(Recompute::none), again = gradients(Recompute::layer);
    for (std::size_t i = 0; i < kept.size(); ++i) EXPECT_TRUE(kept[i].equal(again[i])) << i;
}

TEST_P(Blocks, HalfPrecisionStaysNear) {
    auto config = tiny_config("rotary", "fp32");
    config.model.block = GetParam();
    config.model.norm = NormKind::rmsnorm;
    config.model.qk_norm = QkNorm::head;
    config.model.embedding_dim = 16;
    config.model.head_bias = true;
    const auto model = test::tiny_model(config);
    const auto tokens = test::random_tokens(2, 12);
    const torch::NoGradGuard no_grad;
    const auto exact = model->head().logits(model->hidden(tokens).flatten(0, 1));
    const AutocastScope scope(at::kCPU, at::kBFloat16);
    const auto hidden = model->hidden(tokens);
    EXPECT_EQ(hidden.scalar_type(), at::kFloat);
    const auto rounded = model->head().logits(hidden.flatten(0, 1));
    EXPECT_GT(largest_difference(exact, rounded), 1e-5);
    EXPECT_LT(largest_difference(exact, rounded), 0.2);
}

TEST_P(Blocks, TrainInHalfPrecision) {
    auto config = tiny_config("alibi", "bf16");
    config.model.block = GetParam();
    config.model.kv_heads = 1;
    config.model.qk_norm = QkNorm::whole;
    config.model.head_bias = true;
    config.model.dropout = 0.1;
    const auto model = test::tiny_model(config);
    const auto tokens = test::random_tokens(2, 17);
    at::Tensor loss;
    {
        const AutocastScope scope(at::kCPU, at::kBFloat16);
        loss =
            model->head().loss(model->hidden(tokens.slice(1, 0, -1)).flatten(0, 1), tokens.slice(1, 1).flatten(), 1.0);
    }
    loss.backward();
    for (const auto& item : model->named_parameters()) {
        ASSERT_TRUE(item.value().grad().defined()) << item.key();
        EXPECT_TRUE(item.value().grad().isfinite().all().item<bool>()) << item.key();
    }
}

INSTANTIATE_TEST_SUITE_P(Each, Blocks,
                         testing::Values(BlockKind::pre_norm, BlockKind::normed_residual, BlockKind::post_norm,
                                         BlockKind::sublayer_norm, BlockKind::parallel, BlockKind::parallel_one_norm),
                         [](const auto& chosen) { return std::string(name_of(chosen.param)); });

TEST(ModelOptionsTogether, AKeyValueCacheGivesWhatTheWholeWindowGives) {
    for (const std::string method : {"alibi", "rotary", "sinusoidal"}) {
        for (const std::string backend : {"reference", "sdpa"}) {
            auto config = tiny_config(method);
            config.model.heads = 6;
            config.model.kv_heads = 2;
            config.model.head_dim = 8;
            config.model.qk_norm = QkNorm::head;
            config.attention.backend = backend;
            const auto model = test::tiny_model(config);
            scramble(*model);
            const torch::NoGradGuard no_grad;
            const auto tokens = test::random_tokens(2, 12);
            const auto whole = model->hidden(tokens);
            KvCache cache;
            std::vector<at::Tensor> parts = {model->hidden(tokens.slice(1, 0, 7), &cache)};
            for (int i = 7; i < 12; ++i) parts.push_back(model->hidden(tokens.slice(1, i, i + 1), &cache));
            EXPECT_EQ(cache.keys[0].buffer().size(1), 2);
            EXPECT_LT(largest_difference(torch::cat(parts, 1), whole), 1e-12) << method << " " << backend;
        }
    }
}

TEST(ModelOptionsTogether, TensorsHaveTheNamesAndShapesOfTheFormat) {
    auto config = tiny_config();
    auto& m = config.model;
    m.heads = 6, m.kv_heads = 2, m.head_dim = 8, m.qk_norm = QkNorm::whole, m.key_bias = true, m.tie_output = false;
    m.head_bias = m.embedding_norm = true, m.embedding_dim = 10, m.block = BlockKind::parallel_one_norm;
    std::map<std::string, std::vector<std::int64_t>> shapes;
    for (const auto& stored : test::tiny_model(config)->stored_tensors())
        shapes[stored.name] = stored.tensor.sizes().vec();
    using Sizes = std::vector<std::int64_t>;
    const std::map<std::string, Sizes> some = {{"embed.tokens.weight", {37, 10}},
                                               {"embed.norm.weight", {10}},
                                               {"embed.norm.bias", {10}},
                                               {"embed.project_in.weight", {24, 10}},
                                               {"layers.0.attention.q.weight", {48, 24}},
                                               {"layers.0.attention.k.weight", {16, 24}},
                                               {"layers.0.attention.v.bias", {16}},
                                               {"layers.0.attention.out.weight", {24, 48}},
                                               {"layers.1.attention.q_norm.weight", {48}},
                                               {"layers.1.attention.k_norm.weight", {16}},
                                               {"head.project_out.weight", {10, 24}},
                                               {"head.weight", {37, 10}},
                                               {"head.bias", {37}}};
    for (const auto& [name, sizes] : some) EXPECT_EQ(shapes[name], sizes) << name;
    EXPECT_FALSE(shapes.contains("layers.0.norm2.weight"));
}

TEST(ModelOptionsTogether, NormsBeginAsNoFactor) {
    auto config = tiny_config();
    config.model.norm = NormKind::rmsnorm_1p;
    config.model.qk_norm = QkNorm::head;
    config.model.embedding_norm = true;
    int norms = 0;
    for (const auto& stored : test::tiny_model(config)->stored_tensors()) {
        if (stored.name.find("norm") == std::string::npos) continue;
        ++norms;
        EXPECT_EQ(stored.tensor.abs().max().item<double>(), 0.0) << stored.name;
    }
    EXPECT_EQ(norms, 1 + 2 * 4 + 1);
}

TEST(ModelOptionsTogether, FlopsCountHeadsOfTheirOwnSize) {
    auto config = tiny_config();
    config.model.heads = 6, config.model.kv_heads = 2, config.model.head_dim = 8;
    const ForwardFlops flops(config, test::kVocab);
    const double layer = 24 * (48 + 2 * 16) + 48 * 24 + 2 * 24 * 40, head = 24 * test::kVocab;
    EXPECT_DOUBLE_EQ(flops.window(9, 9), 9 * (2 * 2 * layer + 2 * head + 2 * 4 * 48 * 5));
}

// Of 9 tokens with a window of 4 see 1, 2, 3 and six times 4 keys.
TEST(ModelOptionsTogether, FlopsCountTheKeysOfAWindow) {
    auto config = tiny_config();
    const auto pairs = [&] {
        const auto without = tiny_config();
        const double all = ForwardFlops(without, test::kVocab).window(9, 9);
        const auto one_pair = static_cast<double>(4 * without.model.dim);
        return (ForwardFlops(config, test::kVocab).window(9, 9) - all) / one_pair + 2 * 45;
    };
    EXPECT_DOUBLE_EQ(pairs(), 2 * 45);
    config.position.window = 4;
    EXPECT_DOUBLE_EQ(pairs(), 2 * 30);
    config.position.window = 9;
    EXPECT_DOUBLE_EQ(pairs(), 2 * 45);
    config.position.layers = {{.method = "rotary", .window = 4, .options = {}}, {.method = "none", .options = {}}};
    EXPECT_DOUBLE_EQ(pairs(), 30 + 45);
}

TEST(ModelOptionsTogether, RefuseHeadsThatDoNotDivide) {
    auto config = tiny_config();
    config.model.kv_heads = 2;
    EXPECT_THROW(test::tiny_model(config), ConfigError);
}

}  // namespace
}  // namespace longbow
