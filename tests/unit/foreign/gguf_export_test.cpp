// Tests which architecture of llama.cpp a configuration is exported to, what stands in the way of others, and that the
// importer reads what is planned.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <map>

#include "foreign/gguf_types.h"
#include "longbow/config/context.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/foreign/foreign_model.h"
#include "longbow/foreign/gguf_export.h"
#include "unit/foreign/export_case.h"

namespace longbow {
namespace {

using test::kWords;
using testing::HasSubstr;
using testing::Not;

// Methods with an option that no other program has.
void add_methods(ConfigContext& context) {
    context.position_methods.push_back({"rotary", "", {{.key = "p_own", .default_value = 1.0}}});
    context.position_methods.push_back({"alibi", "", {{.key = "a_own", .default_value = std::string("none")}}});
}
const ContextSource methods{add_methods};

Config config_of(const std::string& method, NormKind norm, Activation activation, bool bias) {
    return test::config_of(method, norm, activation, bias, /*heads=*/6);
}

GgufExport plan(const Config& config, const GgufExportRequest& request = {}) {
    return plan_gguf_export({config, kWords, 3}, request, "RUN");
}
std::string architecture_of(const Config& config, const GgufExportRequest& request = {}) {
    return plan(config, request).architecture;
}
std::string refusal(const Config& config, const std::string& architecture = "") {
    return test::refusal_of([&] { return architecture_of(config, {architecture, ""}); });
}

constexpr auto kLayer = NormKind::layernorm, kRms = NormKind::rmsnorm;
constexpr auto kRelu = Activation::relu, kTanh = Activation::gelu_tanh, kSwiglu = Activation::swiglu;

TEST(GgufExport, TheArchitectureOfAModel) {
    EXPECT_EQ(architecture_of(config_of("alibi", kLayer, kTanh, false)), "mpt");
    EXPECT_EQ(architecture_of(config_of("alibi", kLayer, kTanh, true)), "mpt");
    EXPECT_EQ(architecture_of(config_of("alibi", kRms, kSwiglu, false)), "refact");
    EXPECT_EQ(architecture_of(config_of("alibi", kLayer, kSwiglu, true)), "jais");
    EXPECT_EQ(architecture_of(config_of("rotary", kRms, kSwiglu, true)), "llama");
    EXPECT_EQ(architecture_of(config_of("rotary", kLayer, kTanh, false)), "gptneox");
    EXPECT_EQ(architecture_of(config_of("rotary", kLayer, kSwiglu, false)), "stablelm");
    EXPECT_EQ(architecture_of(config_of("learned", kLayer, kTanh, true)), "gpt2");
    EXPECT_EQ(architecture_of(config_of("none", kLayer, kTanh, false)), "gpt2");
    auto config = config_of("alibi", kLayer, Activation::gelu_bloom, true);
    config.model.embedding_norm = true;
    EXPECT_EQ(architecture_of(config), "bloom");
    config = config_of("rotary", kLayer, kTanh, false);
    config.model.block = BlockKind::parallel;
    EXPECT_EQ(architecture_of(config), "gptneox");
    config.model.block = BlockKind::parallel_one_norm;
    EXPECT_EQ(architecture_of(config), "falcon");
    config.model.bias = true;
    EXPECT_EQ(architecture_of(config), "phi2");
    config = config_of("rotary", kRms, kSwiglu, false);
    config.model.qk_norm = QkNorm::head;
    EXPECT_EQ(architecture_of(config), "qwen3");
    config.model.qk_norm = QkNorm::whole;
    config.model.block = BlockKind::sublayer_norm;
    EXPECT_EQ(architecture_of(config), "olmo2");
    config = config_of("rotary", NormKind::rmsnorm_1p, Activation::geglu_tanh, false);
    config.model.embedding_scale = EmbeddingScale::sqrt_dim;
    EXPECT_EQ(architecture_of(config), "gemma");
}

TEST(GgufExport, AnImportedModelKeepsItsArchitecture) {
    auto config = config_of("rotary", kRms, kSwiglu, false);
    config.model.qkv_bias = PartBias::on;
    EXPECT_EQ(architecture_of(config), "llama");
    EXPECT_EQ(architecture_of(config, {"", "qwen2"}), "qwen2");
    EXPECT_EQ(architecture_of(config, {"", "mistral"}), "llama");
    EXPECT_EQ(architecture_of(config, {"", "gpt2"}), "llama") << "where it does not hold the model any more";
    config = config_of("rotary", kLayer, kTanh, true);
    config.model.block = BlockKind::parallel;
    EXPECT_EQ(architecture_of(config, {"", "gpt_neox"}), "gptneox");
}

TEST(GgufExport, FactorsGoIntoTheWeights) {
    auto config = config_of("alibi", kLayer, kSwiglu, true);
    // Heads of 4: the root of their size is a power of two.
    const auto exact = plan(config);
    EXPECT_EQ(exact.changes.at("layers.1.attention.q.weight").factor, 2.0);
    EXPECT_EQ(exact.changes.at("layers.1.attention.q.bias").factor, 2.0);
    EXPECT_FALSE(exact.changes.contains("layers.1.attention.k.weight"));
    ASSERT_EQ(exact.notes.size(), 1U) << "Jais has an output projection of its own";
    EXPECT_THAT(exact.notes[0], HasSubstr("written twice"));
    config.model.heads = 3;
    EXPECT_DOUBLE_EQ(plan(config).changes.at("layers.0.attention.q.weight").factor, std::sqrt(8.0));
    EXPECT_EQ(plan(config).notes.size(), 2U);

    config = config_of("rotary", kRms, kSwiglu, false);
    config.model.embedding_scale = EmbeddingScale::sqrt_dim;
    const auto twice = plan(config);
    EXPECT_EQ(twice.architecture, "llama");
    EXPECT_DOUBLE_EQ(twice.changes.at("embed.tokens.weight").factor, std::sqrt(24.0));
    const auto& head = twice.tensors.back();
    EXPECT_EQ(head.name, "output.weight");
    ASSERT_EQ(head.parts.size(), 1U);
    EXPECT_EQ(head.parts[0].ours, "embed.tokens.weight");
    EXPECT_TRUE(head.parts[0].unchanged);

    config = config_of("learned", kLayer, kTanh, true);
    config.model.score_scale_by_layer = true;
    EXPECT_EQ(plan(config).changes.at("layers.1.attention.q.weight").factor, 0.5);
    EXPECT_TRUE(plan(config).notes.empty()) << "factors of 1 and 1/2 round nothing";
}

TEST(GgufExport, RowsOfRotaryPairsMove) {
    auto config = config_of("rotary", kRms, kSwiglu, false);
    config.model.kv_heads = 3;
    EXPECT_TRUE(plan(config).changes.empty()) << "both have neighbours";
    config.position.options["pairs"] = std::string("halves");
    const auto llama = plan(config);
    EXPECT_TRUE(llama.changes.at("layers.0.attention.k.weight").to_neighbours);
    EXPECT_EQ(llama.changes.at("layers.0.attention.k.weight").heads, 3);
    EXPECT_TRUE(plan(config, {"qwen2", ""}).changes.empty());
    config.position.options["pairs"] = std::string("interleaved");
    EXPECT_FALSE(plan(config, {"qwen2", ""}).changes.at("layers.0.attention.q.weight").to_neighbours);
}

TEST(GgufExport, TheErrorNamesWhatStandsInTheWay) {
    const auto relu = refusal(config_of("alibi", kLayer, kRelu, true));
    EXPECT_THAT(relu, HasSubstr("RUN: "));
    EXPECT_THAT(relu, HasSubstr("in the way of mpt stands model.activation: relu (it has gelu)"));
    EXPECT_THAT(relu, HasSubstr("in the way of refact stands"));
    EXPECT_THAT(relu, HasSubstr("--custom-code"));
    EXPECT_THAT(relu, Not(HasSubstr("llama stands"))) << "whose positions are others";
    EXPECT_THAT(refusal(config_of("t5", kLayer, kRelu, true)), HasSubstr("none has position.method: t5"));
    EXPECT_THAT(refusal(config_of("rotary", kRms, kSwiglu, true), "gpt2"),
                HasSubstr("in the way of gpt2 stands position.method: rotary (it has learned)"));

    auto config = config_of("alibi", kRms, kSwiglu, false);
    config.position.options["bias_max"] = 16.0;
    EXPECT_THAT(refusal(config), HasSubstr("refact stands position.bias_max: 16 (it has 8)"));
    config = config_of("alibi", kLayer, kTanh, false);
    config.position.options["bias_max"] = 16.0;
    EXPECT_EQ(architecture_of(config), "mpt");
    config.position.options["slope_scale"] = 0.5;
    EXPECT_THAT(refusal(config), HasSubstr("mpt stands position.slope_scale: 0.5 (it has 1)"));
    config = config_of("alibi", kLayer, kTanh, false);
    config.model.qkv_clip = 1.0;
    EXPECT_EQ(architecture_of(config), "mpt");
    config.model.score_scale = 0.3;
    EXPECT_THAT(refusal(config), HasSubstr("mpt stands model.score_scale: 0.3 (it has 0)"));

    config = config_of("rotary", kRms, kSwiglu, false);
    config.position.options["dim"] = std::int64_t{2};
    EXPECT_THAT(refusal(config), HasSubstr("llama stands position.dim: 2 (it has 0)"));
    config = config_of("rotary", kRms, kSwiglu, false);
    config.position.options["scaling"] = std::string("yarn");
    config.position.options["beta_fast"] = 16.0;
    EXPECT_THAT(refusal(config), HasSubstr("llama stands position.beta_fast: 16 (it has 32)"));
    config = config_of("rotary", kLayer, kTanh, false);
    config.position.options["scaling"] = std::string("llama3");
    EXPECT_THAT(refusal(config), HasSubstr("gptneox stands position.scaling: llama3 (it has none)"));
    config = config_of("rotary", NormKind::rmsnorm_1p, Activation::geglu_tanh, false);
    EXPECT_THAT(refusal(config), HasSubstr("gemma stands model.embedding_scale: none (it has sqrt_dim_fp32)"));
    config.model.tie_output = false;
    EXPECT_THAT(refusal(config), HasSubstr("model.tie_output: false (it has true)"));
}

TEST(GgufExport, AnOptionThatNobodyElseHasStandsInTheWay) {
    for (const auto& [method, key, usual, own, text] :
         {std::tuple{"rotary", "p_own", OptionValue(1.0), OptionValue(0.5), "position.p_own: 0.5 (it has 1)"},
          std::tuple{"alibi", "a_own", OptionValue(std::string("none")), OptionValue(std::string("some")),
                     "position.a_own: some (it has none)"}}) {
        auto config = config_of(method, kLayer, Activation::gelu, false);
        config.position.options[key] = usual;
        EXPECT_NO_THROW((void)plan(config));
        EXPECT_NO_THROW((void)plan_hf_export({config, kWords, 3}, "RUN"));
        config.position.options[key] = own;
        EXPECT_THAT(refusal(config), HasSubstr(text));
        EXPECT_THROW((void)plan_hf_export({config, kWords, 3}, "RUN"), CheckpointError);
    }
}

std::string file_of(const GgufExport& planned, GgufWeights weights) {
    auto metadata = planned.metadata;
    metadata.text("general.architecture", planned.architecture);
    std::vector<GgufTensorEntry> entries;
    for (const auto& tensor : planned.tensors) entries.push_back({tensor.name, tensor.shape, weights, 0});
    for (auto& entry : entries) entry.weights = gguf_weights_of(entry.name, entry.shape, weights);
    auto bytes = gguf_head(metadata, entries);
    const auto begin = bytes.size();
    for (std::size_t i = 0; i < entries.size(); ++i) {
        bytes.resize(begin + entries[i].begin, '\0');
        std::int64_t elements = 1;
        for (const auto size : entries[i].shape) elements *= size;
        const auto given = planned.given.find(entries[i].name);
        if (given != planned.given.end()) {
            EXPECT_TRUE(append_gguf_values(entries[i].weights, given->second, bytes));
        } else {
            bytes.resize(bytes.size() + gguf_size(entries[i].weights, elements), '\0');
        }
    }
    return bytes;
}

TEST(GgufExport, TheImporterReadsWhatIsPlanned) {
    auto yarn = config_of("rotary", kRms, kSwiglu, true);
    yarn.model.kv_heads = 2;
    yarn.model.head_dim = 8;
    yarn.position.options["scaling"] = std::string("yarn");
    yarn.position.options["factor"] = 4.0;
    auto llama3 = config_of("rotary", kRms, kSwiglu, false);
    llama3.model.dim = 96;
    llama3.position.options["scaling"] = std::string("llama3");
    llama3.position.options["factor"] = 8.0;
    llama3.position.options["high_freq_factor"] = 3.0;
    llama3.position.options["original_length"] = std::int64_t{20};
    auto clipped = config_of("alibi", kLayer, kTanh, false);
    clipped.model.qkv_clip = 1.5;
    clipped.position.options["bias_max"] = 16.0;
    auto bloom = config_of("alibi", kLayer, Activation::gelu, true);
    bloom.model.embedding_norm = true;
    auto parallel = config_of("rotary", kLayer, Activation::gelu_bloom, true);
    parallel.model.block = BlockKind::parallel;
    parallel.position.options["dim"] = std::int64_t{2};
    auto wide = config_of("rotary", kLayer, kTanh, false);
    wide.model.block = BlockKind::parallel;
    wide.model.kv_heads = 2;
    auto gemma = config_of("rotary", kRms, Activation::geglu_tanh, false);
    gemma.model.embedding_scale = EmbeddingScale::sqrt_dim_fp32;
    gemma.model.head_dim = 6;
    const auto path = fs::temp_directory_path() / ("longbow-gguf-export-" + std::to_string(::getpid()) + ".gguf");
    struct Case {
        Config config;
        const char* architecture;
    };
    for (const auto& [ours, architecture] :
         {Case{yarn, "llama"}, Case{llama3, "llama"}, Case{clipped, "mpt"}, Case{bloom, "bloom"},
          Case{parallel, "gptneox"}, Case{wide, "falcon"}, Case{gemma, "gemma"},
          Case{config_of("rotary", kLayer, kSwiglu, false), "stablelm"},
          Case{config_of("alibi", kRms, kSwiglu, false), "refact"},
          Case{config_of("learned", kLayer, kTanh, true), "gpt2"}}) {
        SCOPED_TRACE(architecture);
        const auto planned = plan(ours, {architecture, ""});
        write_file_atomic(path, file_of(planned, GgufWeights::fp16));
        const auto model = read_gguf_model({.path = path, .rounded = false, .train_length = std::nullopt});
        const auto &m = model.config.model, &o = ours.model;
        EXPECT_EQ(std::tuple(m.layers, m.dim, m.heads, m.key_value_heads(), m.head_size(), m.ffn_dim),
                  std::tuple(o.layers, o.dim, o.heads, o.key_value_heads(), o.head_size(), o.ffn_dim));
        EXPECT_EQ(std::tuple(m.block, m.activation, m.norm, m.norm_eps, m.embedding_norm, m.qkv_clip),
                  std::tuple(o.block, o.activation, o.norm, o.norm_eps, o.embedding_norm, o.qkv_clip));
        EXPECT_EQ(std::tuple(m.embedding_scale, m.qk_norm, m.score_scale),
                  std::tuple(o.embedding_scale, o.qk_norm, o.score_scale));
        EXPECT_EQ(model.config.position.method, ours.position.method);
        EXPECT_EQ(model.vocab_size, kWords);
        for (const auto& [key, value] : model.config.position.options) {
            if (key == "pairs" || key == "max_length") continue;
            const auto& mine = ours.position.options.at(key);
            EXPECT_EQ(value, mine == OptionValue(std::int64_t{0}) ? OptionValue(std::int64_t{32}) : mine) << key;
        }
        std::map<std::string, const PlacedTensor*> placed;
        for (const auto& tensor : model.tensors) placed[tensor.name] = &tensor;
        std::size_t parts = 0;
        for (const auto& tensor : planned.tensors) {
            for (const auto& part : tensor.parts) {
                ++parts;
                const auto name = part.unchanged ? std::string("head.weight") : part.ours;
                ASSERT_TRUE(placed.contains(name)) << name;
                EXPECT_EQ(placed[name]->source, tensor.name);
                EXPECT_EQ(placed[name]->offset, part.offset);
                EXPECT_EQ(placed[name]->sizes, part.sizes);
            }
        }
        EXPECT_EQ(parts, placed.size());
    }
    fs::remove(path);
}

}  // namespace
}  // namespace longbow
