// GPT-NeoX and Pythia: rotary positions over a part of each head, attention and feed-forward layer side by side with a
// norm each. The linear layer for queries, keys and values has its rows by head.
#include "hf_family.h"
#include "hf_rope.h"

namespace longbow {

namespace {

void configure(HfKeys& keys, HfSettings& settings) {
    set_sizes(keys, settings, {"num_hidden_layers"}, {"hidden_size"}, {"num_attention_heads"});
    auto& model = settings.config.model;
    set_heads(keys, settings, std::nullopt, std::nullopt);
    model.ffn_dim = keys.count({"intermediate_size"}, 1, kWidestFfn);
    model.block = keys.flag({"use_parallel_residual"}, true) ? BlockKind::parallel : BlockKind::pre_norm;
    model.activation = plain_activation(keys, {"hidden_act"}, "gelu");
    model.norm_eps = keys.real({"layer_norm_eps"}, 1e-5, 1e-12, 0.1);
    const bool bias = keys.flag({"attention_bias"}, true);
    set_linear_biases(model, bias, bias, true, true);
    set_dropout(keys, settings, {"hidden_dropout"}, {"attention_dropout"}, {"classifier_dropout"});
    // GPT-NeoX-20B's file has these two, which its class does not read.
    keys.harmless({"hidden_dropout_prob", "attention_probs_dropout_prob"});
    settings.length = keys.optional_count({"max_position_embeddings"}, 1, kLongestInput);
    set_rotary(keys, settings, {"rotary_emb_base", "rotary_pct", 0.25, true});
}

void place(const HfSettings& settings, TensorRules& rules) {
    const auto& model = settings.config.model;
    const bool bias = model.has_bias(model.qkv_bias);
    for (std::int64_t i = 0; i < model.layers; ++i) {
        const std::string ours = "layers." + std::to_string(i), theirs = ours;
        rules.norm(model, ours + ".norm1", theirs + ".input_layernorm");
        rules.norm(model, ours + ".norm2", theirs + ".post_attention_layernorm");
        rules.grouped_rows(model, ours + ".attention", theirs + ".attention.query_key_value", model.heads, bias);
        rules.linear(ours + ".attention.out", theirs + ".attention.dense", model.dim, model.dim, bias);
        rules.linear(ours + ".ffn.in", theirs + ".mlp.dense_h_to_4h", model.ffn_dim, model.dim, true);
        rules.linear(ours + ".ffn.out", theirs + ".mlp.dense_4h_to_h", model.dim, model.ffn_dim, true);
    }
    rules.norm(model, "final_norm", "final_layer_norm");
}

LONGBOW_REGISTER_HF_FAMILY({.name = "gpt_neox",
                            .model_types = {"gpt_neox"},
                            .label = "GPT-NeoX, Pythia",
                            .prefixes = {"gpt_neox.", ""},
                            .embedding = "embed_in.weight",
                            .head = "embed_out.weight",
                            .tied = false,
                            .configure = configure,
                            .place = place});

}  // namespace

}  // namespace longbow
