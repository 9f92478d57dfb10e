// Models of shapes alone, on the Meta device, by which parameters and memory are counted.
#include "longbow/model/memory.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <vector>

#include "longbow/core/error.h"
#include "longbow/model/language_model.h"
#include "tiny.h"

namespace longbow {
namespace {

// Configurations that differ in which parameters there are.
std::vector<Config> every_shape() {
    std::vector<Config> configs;
    for (const auto& method : test::every_method()) configs.push_back(test::tiny_config(method));
    for (const auto activation : {Activation::relu, Activation::gelu, Activation::swiglu}) {
        for (const bool bias : {false, true}) {
            for (const bool tied : {false, true}) {
                for (const bool adaptive : {false, true}) {
                    auto& config = configs.emplace_back(test::tiny_config());
                    config.model.activation = activation;
                    config.model.bias = bias;
                    config.model.key_bias = bias && tied;
                    config.model.tie_output = tied;
                    config.model.norm = adaptive ? NormKind::rmsnorm : NormKind::layernorm;
                    config.model.final_norm = !adaptive;
                    config.model.tie_projections = bias;
                    if (adaptive) config.model.adaptive_cutoffs = {12, 20};
                }
            }
        }
    }
    for (const auto block : {BlockKind::normed_residual, BlockKind::post_norm, BlockKind::sublayer_norm,
                             BlockKind::parallel, BlockKind::parallel_one_norm}) {
        for (const bool on : {false, true}) {
            auto& model = configs.emplace_back(test::tiny_config()).model;
            model.block = block;
            model.kv_heads = on ? 1 : 0;
            model.head_dim = on ? 16 : 0;
            model.qk_norm = on ? QkNorm::whole : QkNorm::head;
            model.norm_weights = on;
            model.norm = on ? NormKind::rmsnorm_1p : NormKind::layernorm;
            model.activation = on ? Activation::geglu_tanh : Activation::gelu_tanh;
            model.qkv_bias = on ? PartBias::off : PartBias::on;
            model.embedding_norm = model.head_bias = on;
            model.embedding_dim = on ? 12 : 0;
            model.tie_output = block != BlockKind::parallel;
        }
    }
    return configs;
}

TEST(MetaModel, HasTheShapesOfTheModel) {
    for (const auto& config : every_shape()) {
        const auto model = test::tiny_model(config), meta = make_meta_model(config, test::kVocab);
        EXPECT_EQ(meta->parameter_count(), model->parameter_count());
        const auto parameters = model->named_parameters(), shapes = meta->named_parameters();
        ASSERT_EQ(parameters.size(), shapes.size());
        for (std::size_t i = 0; i < parameters.size(); ++i) {
            EXPECT_EQ(shapes[i].key(), parameters[i].key());
            EXPECT_EQ(shapes[i].value().sizes(), parameters[i].value().sizes()) << parameters[i].key();
            EXPECT_TRUE(shapes[i].value().is_meta() || shapes[i].key().rfind("position.", 0) == 0) << shapes[i].key();
        }
        EXPECT_EQ(meta->memory({}).weights, 8.0 * static_cast<double>(model->parameter_count()));
        EXPECT_EQ(meta->memory({}).largest_weight, model->memory({}).largest_weight);
        EXPECT_EQ(meta->layer_product_weights(), model->layer_product_weights());
        EXPECT_EQ(meta->head_product_weights(), model->head_product_weights());
    }
}

TEST(MetaModel, LeavesTheGeneratorWhereItWas) {
    for (const auto& method : test::every_method()) {
        torch::manual_seed(3);
        const auto expected = torch::rand({4});
        torch::manual_seed(3);
        make_meta_model(test::tiny_config(method), test::kVocab);
        EXPECT_TRUE(torch::rand({4}).equal(expected)) << method;
    }
}

TEST(MetaModel, RefusesBandsThatTheVocabularyDoesNotReach) {
    auto config = test::tiny_config();
    config.model.adaptive_cutoffs = {12, test::kVocab};
    EXPECT_THROW(make_meta_model(config, test::kVocab), ConfigError);
}

// What a layer keeps for its backward pass, by the formula of docs/memory.md.
TEST(ModelMemory, ALayerKeepsWhatTheDocsSay) {
    auto config = test::tiny_config("alibi", "fp32");
    const auto meta = make_meta_model(config, test::kVocab);
    PassRequest pass;
    pass.batch = 3;
    pass.length = 16;
    const double n = 3 * 16, d = 24, f = 40, heads = 3, statistics = 2 * 2 * n * 4;
    EXPECT_EQ(meta->memory(pass).attention, "fused");
    EXPECT_DOUBLE_EQ(meta->memory(pass).layer.kept, 4 * n * (8 * d + f) + 4 * n * heads + statistics);
    config.train.dtype = DType::bf16;
    EXPECT_DOUBLE_EQ(make_meta_model(config, test::kVocab)->memory(pass).layer.kept,
                     n * (20 * d + 2 * f) + 4 * n * heads + statistics);
    config.model.activation = Activation::swiglu;
    config.position.method = "rotary";
    EXPECT_DOUBLE_EQ(make_meta_model(config, test::kVocab)->memory(pass).layer.kept,
                     n * (20 * d + 2 * f) + 2 * n * (2 * d + 3 * f) + 4 * n * heads + statistics);
}

// Fewer heads of keys make q, k and v smaller; parallel sub-layers have one stream less between them, and the block
// with one norm has one normed copy less.
TEST(ModelMemory, ALayerOfAnotherShapeKeepsItsOwn) {
    auto config = test::tiny_config("alibi", "fp32");
    PassRequest pass;
    pass.batch = 3;
    pass.length = 16;
    const auto kept = [&] { return make_meta_model(config, test::kVocab)->memory(pass).layer.kept; };
    const double n = 3 * 16, d = 24, f = 40, heads = 3, statistics = 2 * n * 4;
    config.model.kv_heads = 1;
    EXPECT_DOUBLE_EQ(kept(), 4 * n * (6 * d + 2 * d / 3 + f) + 4 * n * heads + 2 * statistics);
    config.model.head_dim = 16;
    EXPECT_DOUBLE_EQ(kept(), 4 * n * (4 * d + 2 * 48 + 2 * 16 + f) + 4 * n * heads + 2 * statistics);
    config.model.kv_heads = config.model.head_dim = 0;
    config.model.block = BlockKind::parallel;
    EXPECT_DOUBLE_EQ(kept(), 4 * n * (7 * d + f) + 4 * n * heads + 2 * statistics);
    config.model.block = BlockKind::parallel_one_norm;
    EXPECT_DOUBLE_EQ(kept(), 4 * n * (6 * d + f) + 4 * n * heads + statistics);
}

}  // namespace
}  // namespace longbow
