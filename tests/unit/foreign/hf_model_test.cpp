// Tests what is read from folders of public models: the golden folders, and small variants of their settings.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <set>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "longbow/foreign/foreign_model.h"

namespace longbow {
namespace {

using testing::HasSubstr;

std::string folder_of(const std::string& name) { return std::string(LONGBOW_TEST_DATA) + "/golden/hf/" + name; }

// The golden folders, or those of another place with the same form.
std::vector<fs::path> golden_folders() {
    const char* other = std::getenv("LONGBOW_GOLDEN_HF");
    std::vector<fs::path> folders;
    for (const auto& entry : fs::directory_iterator(other != nullptr ? std::string(other) : folder_of(""))) {
        if (entry.is_directory()) folders.push_back(entry.path());
    }
    std::sort(folders.begin(), folders.end());
    return folders;
}

ForeignModel read(const std::string& name, bool rounded = false) {
    return read_hf_model({.path = folder_of(name), .rounded = rounded, .train_length = std::nullopt});
}

std::map<std::string, const PlacedTensor*> by_name(const ForeignModel& model) {
    std::map<std::string, const PlacedTensor*> tensors;
    for (const auto& tensor : model.tensors) tensors[tensor.name] = &tensor;
    return tensors;
}

double real(const Config& config, const std::string& key) { return std::get<double>(config.position.options.at(key)); }
std::int64_t whole(const Config& config, const std::string& key) {
    return std::get<std::int64_t>(config.position.options.at(key));
}
std::string text(const Config& config, const std::string& key) {
    return std::get<std::string>(config.position.options.at(key));
}

TEST(HfModel, EveryTensorOfEachGoldenIsPlacedOnce) {
    ASSERT_FALSE(golden_folders().empty());
    for (const auto& name : golden_folders()) {
        SCOPED_TRACE(name.string());
        const auto model = read_hf_model({.path = name, .rounded = false, .train_length = std::nullopt});
        std::set<std::string> names;
        for (const auto& tensor : model.tensors) {
            EXPECT_TRUE(names.insert(tensor.name).second) << name << " " << tensor.name;
            std::int64_t ours = 1, view = 1;
            for (const auto size : tensor.shape) ours *= size;
            for (const auto size : tensor.sizes) view *= size;
            EXPECT_EQ(ours, view) << name << " " << tensor.name;
            EXPECT_EQ(tensor.read().bytes.size(), static_cast<std::size_t>(ours) * size_of(tensor.tensor.dtype));
        }
        // All elements of each tensor of the file are in some tensor of ours.
        std::map<std::string, std::int64_t> elements;
        for (const auto& tensor : model.tensors) {
            std::int64_t view = 1;
            for (const auto size : tensor.sizes) view *= size;
            elements[tensor.source] += view;
        }
        for (const auto& tensor : model.tensors)
            EXPECT_EQ(elements[tensor.source], tensor.tensor.elements()) << name << " " << tensor.source;
        EXPECT_TRUE(names.contains("embed.tokens.weight"));
        EXPECT_TRUE(names.contains("layers.1.attention.v.weight")) << name;
        EXPECT_EQ(names.contains("head.weight"), !model.config.model.tie_output) << name;
    }
}

TEST(HfModel, Bloom) {
    for (const auto* name : {"bloom_heads4", "bloom_heads12"}) {
        const auto model = read(name);
        const auto& m = model.config.model;
        EXPECT_EQ(m.heads, std::string(name) == "bloom_heads4" ? 4 : 12);
        EXPECT_EQ(std::tuple(m.layers, m.dim, m.ffn_dim, m.activation, m.norm, m.norm_eps),
                  std::tuple(2, 24, 96, Activation::gelu_bloom, NormKind::layernorm, 1e-5));
        EXPECT_EQ(std::tuple(m.embedding_norm, m.bias, m.key_bias, m.tie_output, m.embedding_scale, m.block),
                  std::tuple(true, true, true, true, EmbeddingScale::none, BlockKind::pre_norm));
        EXPECT_EQ(model.config.position.method, "alibi");
        EXPECT_FALSE(model.length_known);
    }
    EXPECT_EQ(read("bloom_heads4").prefix, "");
    EXPECT_EQ(read("bloom_heads12").prefix, "transformer.");
    EXPECT_EQ(read("bloom_heads4").format, "safetensors") << "they win over pytorch_model.bin";
}

TEST(HfModel, RowsByHead) {
    const auto model = read("bloom_heads4");
    const auto tensors = by_name(model);
    const auto& q = *tensors.at("layers.0.attention.q.weight");
    const auto& v = *tensors.at("layers.0.attention.v.weight");
    const auto whole = q.tensor.read().bytes;
    ASSERT_EQ(q.tensor.shape, (std::vector<std::int64_t>{72, 24}));
    const std::size_t row = 24 * sizeof(float);
    // 4 heads of 6: q's row 7 is row 1 of head 1, whose 18 rows begin at 18; v's come after 12 of them.
    EXPECT_EQ(std::memcmp(q.read().bytes.data() + 7 * row, whole.data() + 19 * row, row), 0);
    EXPECT_EQ(std::memcmp(v.read().bytes.data() + 23 * row, whole.data() + 71 * row, row), 0);
    const auto& bias = *tensors.at("layers.0.attention.k.bias");
    EXPECT_EQ(std::memcmp(bias.read().bytes.data() + 6 * 4, bias.tensor.read().bytes.data() + 24 * 4, 4), 0);
}

TEST(HfModel, Mpt) {
    const auto four = read("mpt_heads4"), ten = read("mpt_heads10"), steep = read("mpt_biasmax16");
    EXPECT_EQ(four.config.train.length, 512);
    EXPECT_FALSE(four.config.model.bias);
    EXPECT_EQ(four.config.model.activation, Activation::gelu);
    EXPECT_TRUE(four.definition.empty());
    EXPECT_EQ(ten.config.model.qkv_clip, 1.5);
    EXPECT_EQ(real(steep.config, "bias_max"), 16.0);
    EXPECT_THAT(steep.definition, HasSubstr("transformers ignores"));
    EXPECT_FALSE(read("mpt_biasmax16", true).config.position.options.contains("bias_max"));
}

TEST(HfModel, Falcon) {
    const auto seven = read("falcon_7b_like"), rw = read("falcon_rw");
    const auto& m = seven.config.model;
    EXPECT_EQ(std::tuple(m.heads, m.kv_heads, m.block, m.ffn_dim, m.bias, m.norm_bias),
              std::tuple(5, 1, BlockKind::parallel_one_norm, 160, false, PartBias::on));
    EXPECT_EQ(seven.config.position.method, "rotary");
    EXPECT_EQ(text(seven.config, "pairs"), "halves");
    EXPECT_EQ(seven.tensors.front().tensor.type, "BF16");
    EXPECT_EQ(rw.config.model.block, BlockKind::pre_norm);
    EXPECT_NEAR(real(rw.config, "slope_scale"), 1 / std::sqrt(2.0), 1e-15);
    EXPECT_FALSE(rw.config.position.options.contains("rounding"));
    EXPECT_EQ(text(read("falcon_rw", true).config, "rounding"), "falcon");
}

TEST(HfModel, Gpt2AndOpt) {
    const auto gpt2 = read("gpt2"), opt = read("opt");
    EXPECT_EQ(whole(gpt2.config, "max_length"), 128);
    EXPECT_EQ(gpt2.config.model.activation, Activation::gelu_tanh);
    EXPECT_EQ(gpt2.buffers, (std::vector<std::string>{"h.0.attn.bias", "h.1.attn.bias"}));
    EXPECT_EQ(gpt2.config.train.length, 128);
    // Conv1D [in, out]: our row o, column i is their row i, column o.
    const auto& k = *by_name(gpt2).at("layers.1.attention.k.weight");
    const auto ours = k.read().bytes, theirs = k.tensor.read().bytes;
    EXPECT_EQ(std::memcmp(ours.data() + (3 * 24 + 5) * 4, theirs.data() + (5 * 72 + 24 + 3) * 4, 4), 0);
    EXPECT_EQ(std::tuple(whole(opt.config, "max_length"), whole(opt.config, "offset")), std::tuple(128, 2));
    EXPECT_EQ(by_name(opt).at("position.weight")->shape, (std::vector<std::int64_t>{130, 32}));
    EXPECT_EQ(opt.config.model.activation, Activation::relu);
    EXPECT_EQ(opt.tensors.front().tensor.dtype, PickleDtype::f16);
}

TEST(HfModel, NeoxGptjPhi) {
    const auto neox = read("neox"), gptj = read("gptj"), phi = read("phi");
    EXPECT_EQ(neox.config.model.block, BlockKind::parallel);
    EXPECT_EQ(std::tuple(whole(neox.config, "dim"), real(neox.config, "base")), std::tuple(4, 10000.0));
    EXPECT_FALSE(neox.config.model.tie_output);
    EXPECT_EQ(gptj.config.model.block, BlockKind::parallel_one_norm);
    EXPECT_EQ(text(gptj.config, "pairs"), "interleaved");
    EXPECT_EQ(whole(gptj.config, "dim"), 8);
    EXPECT_TRUE(gptj.config.model.head_bias);
    EXPECT_FALSE(gptj.config.model.has_bias(gptj.config.model.qkv_bias));
    EXPECT_TRUE(gptj.config.model.has_bias(gptj.config.model.ffn_bias));
    EXPECT_TRUE(gptj.config.model.has_bias(gptj.config.model.norm_bias));
    EXPECT_EQ(whole(phi.config, "dim"), 4);
    EXPECT_TRUE(phi.config.model.head_bias);
}

TEST(HfModel, LlamaAndRelatives) {
    const auto llama = read("llama"), llama3 = read("llama3"), dynamic = read("llama_dynamic");
    EXPECT_EQ(std::tuple(llama.config.model.kv_heads, llama.config.model.norm, llama.config.model.activation),
              std::tuple(2, NormKind::rmsnorm, Activation::swiglu));
    EXPECT_EQ(text(llama3.config, "scaling"), "llama3");
    EXPECT_EQ(std::tuple(whole(llama3.config, "original_length"), llama3.config.train.length,
                         real(llama3.config, "factor"), real(llama3.config, "base")),
              std::tuple(64, 512, 8.0, 5000.0));
    EXPECT_EQ(std::tuple(text(dynamic.config, "scaling"), whole(dynamic.config, "original_length")),
              std::tuple("dynamic", 64));
    EXPECT_EQ(text(read("llama_linear").config, "scaling"), "linear");
    EXPECT_EQ(read("mistral").config.position.window, 48);
    const auto qwen2 = read("qwen2"), qwen3 = read("qwen3");
    EXPECT_TRUE(qwen2.config.model.has_bias(qwen2.config.model.qkv_bias) && qwen2.config.model.key_bias);
    EXPECT_FALSE(qwen2.config.model.has_bias(qwen2.config.model.out_bias));
    EXPECT_EQ(qwen2.config.position.window, 0);
    EXPECT_EQ(std::tuple(qwen3.config.model.head_dim, qwen3.config.model.qk_norm), std::tuple(12, QkNorm::head));
    EXPECT_EQ(real(qwen3.config, "base"), 1e6);
}

// --- Variants of a golden folder's settings.
class HfVariant : public testing::Test {
protected:
    void SetUp() override {
        folder_ = fs::temp_directory_path() / ("longbow-hf-" + std::to_string(::getpid()));
        fs::remove_all(folder_);
    }
    void TearDown() override { fs::remove_all(folder_); }
    // Copies a folder and replaces a part of its config.json.
    void make(const std::string& golden, const std::string& from, const std::string& to) {
        fs::remove_all(folder_);
        fs::copy(folder_of(golden), folder_, fs::copy_options::recursive);
        auto config = read_file(folder_ / "config.json");
        const auto at = config.find(from);
        ASSERT_NE(at, std::string::npos);
        write_file_atomic(folder_ / "config.json", config.replace(at, from.size(), to));
    }
    std::string error(const std::string& golden, const std::string& from, const std::string& to) {
        make(golden, from, to);
        return error();
    }
    std::string error() {
        try {
            (void)read_hf_model({.path = folder_, .rounded = false, .train_length = std::nullopt});
        } catch (const CheckpointError& failure) {
            return failure.what();
        }
        return "accepted";
    }
    ForeignModel model() { return read_hf_model({.path = folder_, .rounded = false, .train_length = std::nullopt}); }
    fs::path folder_;
};

TEST_F(HfVariant, KeysThatAreNotKnown) {
    EXPECT_THAT(error("llama", "\"use_cache\": true", "\"residual_multiplier\": 0.22"),
                HasSubstr("config.json: key residual_multiplier (= 0.22) is not known for the family llama"));
    EXPECT_THAT(error("llama", "\"use_cache\": true", "\"quantization_config\": {\"bits\": 4}"),
                HasSubstr("the weights are quantized"));
    EXPECT_THAT(error("llama", "\"use_cache\": true", "\"final_logit_softcapping\": 30.0"), HasSubstr("tanh"));
    EXPECT_THAT(error("llama", "\"model_type\": \"llama\"", "\"model_type\": \"gemma2\""), HasSubstr("soft caps"));
    EXPECT_THAT(error("llama", "\"model_type\": \"llama\"", "\"model_type\": \"lama\""),
                HasSubstr("did you mean llama?"));
    EXPECT_THAT(error("llama", "\"hidden_act\": \"silu\"", "\"hidden_act\": \"gelu\""), HasSubstr("key hidden_act"));
    EXPECT_THAT(error("llama", "\"hidden_size\": 24", "\"hidden_size\": null"),
                HasSubstr("key hidden_size: it is missing"));
    EXPECT_THAT(error("llama", "\"rope_theta\": 10000.0", "\"rope_theta\": 10000.0, \"rope_theta\": 5.0"),
                HasSubstr("twice"));
    EXPECT_THAT(error("llama3", "\"rope_type\": \"llama3\"", "\"rope_type\": \"longrope\""), HasSubstr("longrope"));
    EXPECT_THAT(error("llama3", "\"high_freq_factor\": 4.0", "\"high_freq_faktor\": 4.0"), HasSubstr("high_freq_f"));
    EXPECT_EQ(error("llama", "\"use_cache\": true", "\"quantization_config\": null"), "accepted");
}

TEST_F(HfVariant, SizesThatTensorsContradict) {
    EXPECT_THAT(error("llama", "\"num_key_value_heads\": 2", "\"num_key_value_heads\": 4"), HasSubstr("has the shape"));
    EXPECT_THAT(error("llama", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1"), HasSubstr("has no place"));
    EXPECT_THAT(error("llama", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3"), HasSubstr("has no tensor"));
    EXPECT_THAT(error("gpt2", "\"n_positions\": 128", "\"n_positions\": 64"), HasSubstr("wpe.weight"));
    EXPECT_THAT(error("llama", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 99999999999"), HasSubstr("outside"));
    EXPECT_THAT(error("llama", "\"tie_word_embeddings\": false", "\"tie_word_embeddings\": true"), HasSubstr("differ"));
    EXPECT_THAT(error("llama3", "\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false"),
                HasSubstr("tie_word_embeddings: true"));
    EXPECT_THAT(error("mpt_heads4", "\"expansion_ratio\": 4", "\"expansion_ratio\": 2"), HasSubstr("up_proj"));
}

TEST_F(HfVariant, Windows) {
    make("qwen2", "\"use_sliding_window\": false",
         "\"use_sliding_window\": true, \"layer_types\": [\"sliding_attention\", "
         "\"full_attention\"]");
    EXPECT_THAT(error(), HasSubstr("gives no window"));
    make("qwen3", "\"layer_types\": [\n  \"full_attention\",\n  \"full_attention\"\n ]",
         "\"layer_types\": [\"full_attention\", \"sliding_attention\"]");
    EXPECT_THAT(error(), HasSubstr("gives no window"));
    auto config = read_file(folder_ / "config.json");
    config.replace(config.find("\"sliding_window\": null"), 22, "\"sliding_window\": 7");
    config.replace(config.find("\"use_sliding_window\": false"), 27, "\"use_sliding_window\": true");
    write_file_atomic(folder_ / "config.json", config);
    const auto read = model();
    ASSERT_EQ(read.config.position.layers.size(), 2u);
    EXPECT_EQ(std::tuple(read.config.position.layers[0].window, read.config.position.layers[1].window),
              std::tuple(0, 7));
}

TEST_F(HfVariant, TorchFilesWhereThereAreNoSafetensors) {
    for (const auto* name : {"bloom_heads4", "gpt2"}) {
        make(name, "\"use_cache\": true", "\"use_cache\": true");
        fs::remove(folder_ / "model.safetensors");
        const auto theirs = model(), ours = read(name);
        EXPECT_EQ(theirs.format, "torch");
        const auto tensors = by_name(theirs);
        for (const auto& tensor : ours.tensors) {
            const auto a = tensor.read(), b = tensors.at(tensor.name)->read();
            ASSERT_EQ(a.bytes.size(), b.bytes.size());
            EXPECT_EQ(std::memcmp(a.bytes.data(), b.bytes.data(), a.bytes.size()), 0) << tensor.name;
        }
    }
    fs::remove(folder_ / "pytorch_model.bin");
    EXPECT_THAT(error(), HasSubstr("no weights in it"));
}

TEST_F(HfVariant, Shards) {
    make("neox", "\"use_cache\": true", "\"use_cache\": true");
    const auto index = folder_ / "model.safetensors.index.json";
    const auto text = read_file(index);
    auto changed = text;
    changed.replace(changed.find("model-00004-of-00005"), 20, "../del-0004-of-00005");
    write_file_atomic(index, changed);
    EXPECT_THAT(error(), HasSubstr("is not a file of this folder"));
    changed = text;
    changed.replace(changed.find("model-00004-of-00005"), 20, "model-00006-of-00005");
    write_file_atomic(index, changed);
    EXPECT_THAT(error(), HasSubstr("model-00006-of-00005.safetensors is missing"));
    write_file_atomic(index, text);
    const auto shard = read_file(folder_ / "model-00003-of-00005.safetensors");
    write_file_atomic(folder_ / "model-00003-of-00005.safetensors", shard.substr(0, shard.size() / 2));
    EXPECT_THAT(error(), HasSubstr("model-00003-of-00005.safetensors"));
    write_file_atomic(folder_ / "model-00003-of-00005.safetensors", shard);
    EXPECT_EQ(error(), "accepted");
}

}  // namespace
}  // namespace longbow
