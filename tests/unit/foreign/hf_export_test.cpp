// Tests which class of transformers a configuration is exported to, what stands in the way of others, and that the
// importer reads what is planned.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <map>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/core/safetensors_header.h"
#include "longbow/foreign/foreign_model.h"
#include "longbow/foreign/hf_export.h"
#include "unit/foreign/export_case.h"

namespace longbow {
namespace {

using test::config_of;
using test::kWords;
using test::options_of;
using testing::HasSubstr;
using testing::Not;

HfExport plan(const Config& config) { return plan_hf_export({config, kWords, 3}, "RUN"); }
std::string class_of(const Config& config) { return plan(config).class_name; }
std::string refusal(const Config& config) {
    return test::refusal_of([&] { return class_of(config); });
}

constexpr auto kLayer = NormKind::layernorm, kRms = NormKind::rmsnorm;
constexpr auto kRelu = Activation::relu, kGelu = Activation::gelu, kSwiglu = Activation::swiglu;

TEST(HfExport, AClassForEachPositionMethod) {
    EXPECT_EQ(class_of(config_of("alibi", kLayer, kGelu, false)), "MptForCausalLM");
    EXPECT_EQ(class_of(config_of("sinusoidal", kLayer, kRelu, true)), "XGLMForCausalLM");
    EXPECT_EQ(class_of(config_of("learned", kLayer, kGelu, true)), "GPT2LMHeadModel");
    EXPECT_EQ(class_of(config_of("none", kLayer, kRelu, false)), "GPT2LMHeadModel");
    EXPECT_EQ(class_of(config_of("none", kRms, kSwiglu, true)), "SmolLM3ForCausalLM");
    EXPECT_EQ(class_of(config_of("rotary", kLayer, kRelu, true)), "GPTNeoXForCausalLM");
    EXPECT_EQ(class_of(config_of("rotary", kRms, kSwiglu, true)), "LlamaForCausalLM");
    EXPECT_EQ(class_of(config_of("rotary", kRms, kSwiglu, false)), "LlamaForCausalLM");
    EXPECT_EQ(class_of(config_of("rotary", kLayer, kSwiglu, false)), "StableLmForCausalLM");
}

TEST(HfExport, AWindowAndNormsOfQueries) {
    auto config = config_of("rotary", kRms, kSwiglu, false);
    config.position.window = 8;
    const auto mistral = plan(config);
    EXPECT_EQ(mistral.class_name, "MistralForCausalLM");
    EXPECT_EQ(mistral.config["sliding_window"], 8);
    config.model.qk_norm = QkNorm::head;
    const auto qwen3 = plan(config);
    EXPECT_EQ(qwen3.class_name, "Qwen3ForCausalLM");
    EXPECT_EQ(qwen3.config["max_window_layers"], 0);
    EXPECT_EQ(qwen3.changes.at("layers.1.attention.k_norm.weight").heads, 1);
}

TEST(HfExport, TheScaleOfATiedEmbedding) {
    auto config = config_of("learned", kLayer, kRelu, true);
    config.model.embedding_scale = EmbeddingScale::sqrt_dim;
    EXPECT_EQ(class_of(config), "BioGptForCausalLM");
    config = config_of("rotary", kRms, kSwiglu, false);
    config.model.embedding_scale = EmbeddingScale::sqrt_dim;
    const auto gemma = plan(config);
    EXPECT_EQ(gemma.class_name, "GemmaForCausalLM");
    EXPECT_EQ(gemma.changes.at("layers.1.norm2.weight").summand, -1.0);
    EXPECT_EQ(gemma.changes.at("final_norm.weight").summand, -1.0);
    // An untied one takes it into its matrix.
    config.model.tie_output = false;
    const auto llama = plan(config);
    EXPECT_EQ(llama.class_name, "LlamaForCausalLM");
    EXPECT_DOUBLE_EQ(llama.changes.at("embed.tokens.weight").factor, std::sqrt(24.0));
    EXPECT_FALSE(llama.changes.contains("head.weight"));
    ASSERT_EQ(llama.notes.size(), 1U);
}

TEST(HfExport, OptHoldsWhatGpt2DoesNot) {
    auto config = config_of("learned", kLayer, kRelu, true);
    config.model.block = BlockKind::post_norm;
    config.model.final_norm = false;
    config.model.embedding_dim = 12;
    const auto opt = plan(config);
    EXPECT_EQ(opt.class_name, "OPTForCausalLM");
    EXPECT_EQ(opt.config["do_layer_norm_before"], false);
    EXPECT_EQ(opt.config["word_embed_proj_dim"], 12);
    // Our table has no unused rows in front, the class's has two.
    for (const auto& tensor : opt.tensors) {
        if (tensor.name != "model.decoder.embed_positions.weight") continue;
        EXPECT_EQ(tensor.shape, (std::vector<std::int64_t>{34, 24}));
        ASSERT_EQ(tensor.parts.size(), 1U);
        EXPECT_EQ(tensor.parts[0].offset, 48);
        EXPECT_EQ(tensor.parts[0].sizes, (std::vector<std::int64_t>{32, 24}));
    }
}

TEST(HfExport, RowsOfRotaryPairsMove) {
    auto config = config_of("rotary", kLayer, kRelu, true);
    const auto turned = plan(config);
    EXPECT_EQ(turned.changes.at("layers.0.attention.q.weight").turned, 6);
    EXPECT_EQ(turned.changes.at("layers.1.attention.k.bias").heads, 4);
    EXPECT_FALSE(turned.changes.contains("layers.0.attention.v.weight"));
    config.position.options["pairs"] = std::string("halves");
    config.position.options["dim"] = std::int64_t{2};
    const auto part = plan(config);
    EXPECT_TRUE(part.changes.empty());
    EXPECT_EQ(static_cast<int>(part.config["rotary_pct"].get<double>() * 6), 2);
    EXPECT_EQ(part.config["rope_parameters"]["partial_rotary_factor"], part.config["rotary_pct"]);
}

TEST(HfExport, TheErrorNamesWhatStandsInTheWay) {
    const auto relu = refusal(config_of("alibi", kLayer, kRelu, true));
    EXPECT_THAT(relu, HasSubstr("RUN: "));
    EXPECT_THAT(relu, HasSubstr("in the way of MptForCausalLM stands model.activation: relu (it has gelu), model.bias: "
                                "true (it has fewer biases)"));
    EXPECT_THAT(relu, HasSubstr("--custom-code"));
    EXPECT_THAT(relu, Not(HasSubstr("Llama"))) << "whose positions are others";
    EXPECT_THAT(refusal(config_of("t5", kLayer, kRelu, true)), HasSubstr("none has position.method: t5"));

    auto config = config_of("alibi", kLayer, kGelu, false);
    config.model.heads = 6;
    config.position.options["slopes"] = std::string("geometric");
    EXPECT_THAT(refusal(config), HasSubstr("position.slopes: geometric (it has authors)"));
    config.model.heads = 4;
    EXPECT_EQ(class_of(config), "MptForCausalLM") << "both rules are one";
    config.position.options["bias_max"] = 16.0;
    EXPECT_THAT(refusal(config), HasSubstr("position.bias_max: 16 (it has 8)"));

    config = config_of("alibi", kLayer, kGelu, false);
    config.model.embedding_scale = EmbeddingScale::sqrt_dim;
    EXPECT_THAT(refusal(config), HasSubstr("model.embedding_scale: sqrt_dim (it has none)"));
    config.model.tie_output = false;
    EXPECT_EQ(class_of(config), "MptForCausalLM");

    config = config_of("sinusoidal", kLayer, kRelu, true);
    config.model.norm_eps = 1e-6;
    EXPECT_THAT(refusal(config), HasSubstr("XGLMForCausalLM stands model.norm_eps: 1e-06 (it has 1e-05)"));
    config = config_of("learned", kLayer, kRelu, true);
    config.model.adaptive_cutoffs = {10, 20};
    EXPECT_THAT(refusal(config), HasSubstr("model.adaptive_cutoffs: set (it has none)"));
    config = config_of("rotary", kRms, kRelu, false);
    EXPECT_THAT(refusal(config), HasSubstr("LlamaForCausalLM stands model.activation: relu (it has swiglu)"));
    EXPECT_THAT(refusal(config), HasSubstr("GPTNeoXForCausalLM stands model.norm: rmsnorm (it has layernorm)"));
    config = config_of("rotary", kRms, kSwiglu, true);
    config.position.window = 8;
    EXPECT_THAT(refusal(config), HasSubstr("LlamaForCausalLM stands position.window: 8 (it has 0)"));
    config = config_of("rotary", kRms, kSwiglu, false);
    config.position.layers = {{"rotary", 0, options_of("rotary")}, {"none", 0, {}}};
    EXPECT_THAT(refusal(config), HasSubstr("position.layers (its layers are alike)"));
    config = config_of("none", kLayer, kRelu, true);
    config.model.qk_norm = QkNorm::head;
    EXPECT_THAT(refusal(config), HasSubstr("model.qk_norm: head (it has none)"));
}

TEST(HfExport, WhatAModelLacksIsConstant) {
    auto config = config_of("rotary", kRms, kSwiglu, false);
    config.model.norm_weights = false;
    const auto llama = plan(config);
    EXPECT_EQ(llama.constants.at("layers.0.norm1.weight"), 1.0);
    config.model.embedding_scale = EmbeddingScale::sqrt_dim;
    EXPECT_EQ(plan(config).constants.at("layers.0.norm1.weight"), 0.0) << "Gemma adds 1";
    const auto gpt2 = plan(config_of("none", kLayer, kRelu, false));
    EXPECT_EQ(gpt2.constants.at("position.weight"), 0.0);
    EXPECT_EQ(gpt2.constants.at("layers.1.attention.k.bias"), 0.0);
    EXPECT_EQ(gpt2.config["n_positions"], 512);
}

// Writes what is planned with weights of 0.
void write_folder(const HfExport& planned, const fs::path& folder) {
    fs::create_directories(folder);
    write_file_atomic(folder / "config.json", planned.config.dump());
    SafetensorsHeader header;
    for (const auto& tensor : planned.tensors) header.tensors.push_back({tensor.name, "F32", tensor.shape, 0, 0});
    auto text = build_safetensors_header(header, /*fillers=*/false);
    text.resize(text.size() + header.tensors.back().end, '\0');
    write_file_atomic(folder / "model.safetensors", text);
}

TEST(HfExport, TheImporterReadsWhatIsPlanned) {
    auto scaled = config_of("rotary", kRms, kSwiglu, true);
    scaled.model.kv_heads = 2;
    scaled.model.head_dim = 8;
    scaled.position.options["scaling"] = std::string("yarn");
    scaled.position.options["factor"] = 4.0;
    auto grown = config_of("rotary", kRms, kSwiglu, false);
    grown.position.options["scaling"] = std::string("dynamic");
    grown.position.options["factor"] = 2.0;
    auto llama3 = config_of("rotary", kRms, Activation::geglu_tanh, false);
    llama3.position.options["scaling"] = std::string("llama3");
    llama3.position.options["factor"] = 8.0;
    auto clipped = config_of("alibi", kLayer, kGelu, false);
    clipped.model.qkv_clip = 1.5;
    clipped.model.score_scale = 0.25;
    auto behind = config_of("learned", kLayer, kRelu, true);
    behind.model.block = BlockKind::post_norm;
    behind.model.final_norm = false;
    behind.model.embedding_dim = 12;
    auto gemma = config_of("rotary", NormKind::rmsnorm_1p, Activation::geglu_tanh, false);
    gemma.model.embedding_scale = EmbeddingScale::sqrt_dim_fp32;
    auto untied = config_of("rotary", kLayer, kRelu, true);
    untied.model.tie_output = false;
    untied.model.block = BlockKind::parallel;
    auto windowed = config_of("rotary", kRms, kSwiglu, false);
    windowed.position.window = 8;
    auto normed = windowed;
    normed.model.qk_norm = QkNorm::head;
    const auto folder = fs::temp_directory_path() / ("longbow-hf-export-" + std::to_string(::getpid()));
    for (const auto& ours : {scaled, grown, llama3, clipped, behind, gemma, untied, windowed, normed,
                             config_of("learned", kLayer, kGelu, true)}) {
        const auto planned = plan(ours);
        SCOPED_TRACE(planned.class_name);
        write_folder(planned, folder);
        const auto model = read_hf_model({.path = folder, .rounded = false, .train_length = std::nullopt});
        const auto &m = model.config.model, &o = ours.model;
        EXPECT_EQ(std::tuple(m.layers, m.dim, m.heads, m.key_value_heads(), m.head_size(), m.ffn_dim, m.token_dim()),
                  std::tuple(o.layers, o.dim, o.heads, o.key_value_heads(), o.head_size(), o.ffn_dim, o.token_dim()));
        EXPECT_EQ(std::tuple(m.block, m.activation, m.norm, m.norm_eps, m.final_norm, m.tie_output, m.embedding_scale),
                  std::tuple(o.block, o.activation, o.norm, o.norm_eps, o.final_norm, o.tie_output, o.embedding_scale));
        EXPECT_EQ(std::tuple(m.qkv_clip, m.score_scale, m.qk_norm, model.config.position.window),
                  std::tuple(o.qkv_clip, o.score_scale, o.qk_norm, ours.position.window));
        EXPECT_EQ(model.config.position.method, ours.position.method);
        EXPECT_EQ(model.vocab_size, kWords);
        for (const auto& [key, value] : model.config.position.options) {
            if (key == "pairs" || key == "offset" || key == "max_length" || key == "original_length") continue;
            EXPECT_EQ(value, ours.position.options.at(key)) << key;
        }
        // The same rules have placed the tensors.
        std::map<std::string, const PlacedTensor*> placed;
        for (const auto& tensor : model.tensors) placed[tensor.name] = &tensor;
        std::size_t parts = 0;
        for (const auto& tensor : planned.tensors) {
            for (const auto& part : tensor.parts) {
                ++parts;
                ASSERT_TRUE(placed.contains(part.ours)) << part.ours;
                EXPECT_EQ(placed[part.ours]->source, tensor.name);
                if (part.ours == "position.weight") continue;  // OPT's unused rows
                EXPECT_EQ(placed[part.ours]->offset, part.offset);
                EXPECT_EQ(placed[part.ours]->sizes, part.sizes);
                EXPECT_EQ(placed[part.ours]->strides, part.strides);
            }
        }
        EXPECT_EQ(parts, placed.size());
        fs::remove_all(folder);
    }
}

TEST(HfExport, OwnCodeKnowsAllPositions) {
    auto config = config_of("t5", kLayer, kRelu, true);
    const Json settings{{"model", {{"dim", 24}}}, {"position", {{"method", "t5"}}}};
    const auto json = custom_code_config({config, kWords, 3}, settings, "run");
    EXPECT_EQ(json["model_type"], "longbow");
    EXPECT_EQ(json["longbow"]["model"]["dim"], 24);
    EXPECT_EQ(json["longbow"]["position"]["options"]["buckets"], 32);
    EXPECT_EQ(json["longbow"]["position"]["layers"], Json::array());
    config.position.layers = {{"none", 4, {}}};
    EXPECT_EQ(custom_code_config({config, kWords, 3}, settings, "run")["longbow"]["position"]["layers"][0]["window"],
              4);
}

}  // namespace
}  // namespace longbow
