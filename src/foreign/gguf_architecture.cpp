#include "gguf_architecture.h"

#include "longbow/foreign/foreign_model.h"

namespace longbow {

namespace {

using Position = GgufArchitecture::Position;
using Presence = GgufArchitecture::Presence;

// gelu is what the model was trained with: llama.cpp computes its tanh form for all of them. Which tensors are optional
// is in the loaders of llama.cpp (src/models/NAME.cpp); of biases those count that its graphs add, too.
std::vector<GgufArchitecture> make_table() {
    return {
        {.name = "mpt",
         .label = "MPT",
         .activation = Activation::gelu,
         .position = Position::alibi,
         .fused = true,
         .qkv_bias = Presence::optional,
         .out_bias = Presence::optional,
         .ffn_bias = Presence::optional,
         .norm_bias = Presence::optional,
         .clip = true},
        {.name = "bloom",
         .label = "BLOOM",
         .activation = Activation::gelu_bloom,
         .position = Position::alibi,
         .embedding_norm = true,
         .bias_max = 8.0,
         .fused = true,
         .qkv_bias = Presence::required,
         .out_bias = Presence::required,
         .ffn_bias = Presence::required},
        {.name = "refact",
         .label = "Refact",
         .norm = NormKind::rmsnorm,
         .position = Position::alibi,
         .bias_max = 8.0,
         .any_head_dim = true},
        {.name = "jais",
         .label = "Jais",
         .position = Position::alibi,
         .whole_scale = true,
         .fused = true,
         .qkv_bias = Presence::required,
         .out_bias = Presence::required,
         .ffn_bias = Presence::required,
         .head = Presence::required},
        // Rows of q and k are permuted on the way into the file, so that pairs are neighbours.
        {.name = "llama",
         .label = "Llama, SmolLM, Mistral",
         .norm = NormKind::rmsnorm,
         .position = Position::neighbours,
         .qkv_bias = Presence::optional,
         .out_bias = Presence::optional,
         .ffn_bias = Presence::optional,
         .any_head_dim = true,
         .frequency_factors = true},
        {.name = "qwen2", .label = "Qwen 2", .norm = NormKind::rmsnorm, .qkv_bias = Presence::optional},
        {.name = "qwen3", .label = "Qwen 3", .norm = NormKind::rmsnorm, .qk_norm = QkNorm::head, .any_head_dim = true},
        // The 1 of Gemma's norms is added on the way into the file.
        {.name = "gemma",
         .label = "Gemma",
         .norm = NormKind::rmsnorm,
         .activation = Activation::geglu_tanh,
         .embedding_scaled = true,
         .head = Presence::none,
         .any_head_dim = true},
        {.name = "olmo2",
         .label = "OLMo 2",
         .norm = NormKind::rmsnorm,
         .block = BlockKind::sublayer_norm,
         .qk_norm = QkNorm::whole,
         .head = Presence::required},
        {.name = "gptneox",
         .label = "GPT-NeoX, Pythia",
         .activation = Activation::gelu,
         .block = BlockKind::parallel,
         .fused = true,
         .other_block = BlockKind::pre_norm,
         .qkv_bias = Presence::required,
         .out_bias = Presence::required,
         .ffn_bias = Presence::required,
         .head = Presence::required,
         .part = true},
        {.name = "stablelm",
         .label = "StableLM",
         .qkv_bias = Presence::optional,
         .head = Presence::required,
         .part = true},
        // Falcon 40B has two norms.
        {.name = "falcon",
         .label = "Falcon",
         .activation = Activation::gelu,
         .block = BlockKind::parallel_one_norm,
         .fused = true,
         .other_block = BlockKind::parallel},
        {.name = "phi2",
         .label = "Phi",
         .activation = Activation::gelu_tanh,
         .block = BlockKind::parallel_one_norm,
         .qkv_bias = Presence::optional,
         .out_bias = Presence::required,
         .ffn_bias = Presence::required,
         .head = Presence::required,
         .head_bias = Presence::required,
         .part = true},
        {.name = "gpt2",
         .label = "GPT-2",
         .activation = Activation::gelu_tanh,
         .position = Position::learned,
         .fused = true,
         .qkv_bias = Presence::required,
         .out_bias = Presence::required,
         .ffn_bias = Presence::required}};
}

}  // namespace

const std::vector<GgufArchitecture>& gguf_architecture_table() {
    static const auto table = make_table();
    return table;
}

const GgufArchitecture* gguf_architecture(const std::string& name) {
    for (const auto& known : gguf_architecture_table()) {
        if (name == known.name) return &known;
    }
    return nullptr;
}

std::vector<std::string> gguf_architectures() {
    std::vector<std::string> names;
    for (const auto& known : gguf_architecture_table()) names.emplace_back(known.name);
    return names;
}

}  // namespace longbow
