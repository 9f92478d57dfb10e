// Phi 1, 1.5 and 2: rotary positions over a part of each head, attention and feed-forward layer side by side behind one
// norm, biases everywhere, also on the output projection.
#include "hf_family.h"
#include "hf_rope.h"

namespace longbow {

namespace {

void configure(HfKeys& keys, HfSettings& settings) {
    set_sizes(keys, settings, {"num_hidden_layers"}, {"hidden_size"}, {"num_attention_heads"});
    auto& model = settings.config.model;
    set_heads(keys, settings, keys.optional_count({"num_key_value_heads"}, 1, kMostHeads), std::nullopt);
    model.ffn_dim = keys.count({"intermediate_size"}, 1, kWidestFfn);
    model.block = BlockKind::parallel_one_norm;
    model.activation = plain_activation(keys, {"hidden_act"}, "gelu_new");
    model.norm_eps = keys.real({"layer_norm_eps"}, 1e-5, 1e-12, 0.1);
    set_linear_biases(model, true, true, true, true);
    model.head_bias = true;
    keys.refuse("qk_layernorm", "layer norms of queries and keys are not imported");
    set_dropout(keys, settings, {"resid_pdrop"}, {"attention_dropout"}, {"embd_pdrop"});
    settings.length = keys.optional_count({"max_position_embeddings"}, 1, kLongestInput);
    set_rotary(keys, settings, {.usual = 0.5, .partial = true});
}

void place(const HfSettings& settings, TensorRules& rules) {
    const auto& model = settings.config.model;
    const auto keys = model.key_value_heads() * model.head_size();
    for (std::int64_t i = 0; i < model.layers; ++i) {
        const std::string ours = "layers." + std::to_string(i), theirs = ours;
        rules.norm(model, ours + ".norm1", theirs + ".input_layernorm");
        rules.linear(ours + ".attention.q", theirs + ".self_attn.q_proj", model.dim, model.dim, true);
        rules.linear(ours + ".attention.k", theirs + ".self_attn.k_proj", keys, model.dim, true);
        rules.linear(ours + ".attention.v", theirs + ".self_attn.v_proj", keys, model.dim, true);
        rules.linear(ours + ".attention.out", theirs + ".self_attn.dense", model.dim, model.dim, true);
        rules.linear(ours + ".ffn.in", theirs + ".mlp.fc1", model.ffn_dim, model.dim, true);
        rules.linear(ours + ".ffn.out", theirs + ".mlp.fc2", model.dim, model.ffn_dim, true);
    }
    rules.norm(model, "final_norm", "final_layernorm");
    rules.whole("head.bias", "lm_head.bias", {settings.vocab_size}, /*prefixed=*/false);
}

LONGBOW_REGISTER_HF_FAMILY({.name = "phi",
                            .model_types = {"phi"},
                            .label = "Phi",
                            .prefixes = {"model.", ""},
                            .embedding = "embed_tokens.weight",
                            .head = "lm_head.weight",
                            .tied = false,
                            .configure = configure,
                            .place = place});

}  // namespace

}  // namespace longbow
