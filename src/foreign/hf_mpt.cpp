// MPT: ALiBi, no biases. The definition is the trainer's (llm-foundry), whose keys transformers' class ignores in part:
// alibi_bias_max above all.
#include <fmt/core.h>

#include "hf_family.h"

namespace longbow {

namespace {

constexpr std::int64_t kUsualExpansion = 4;
constexpr double kUsualBiasMax = 8.0;

void read_attention(HfKeys& keys, HfSettings& settings) {
    auto& model = settings.config.model;
    auto& position = settings.config.position;
    position.method = "alibi";
    const Json none = Json::object();
    const Json* given = keys.object("attn_config");
    HfKeys attention(given != nullptr ? *given : none, keys.what() + ": attn_config");
    if (!attention.flag({"alibi"}, true))
        attention.fail("alibi", "it is false: MPT with learned positions is not imported");
    const double bias_max = attention.real({"alibi_bias_max"}, kUsualBiasMax, 1e-3, 1e3);
    if (bias_max != kUsualBiasMax) {
        if (!settings.rounded) position.options["bias_max"] = bias_max;
        settings.definition =
            settings.rounded ? fmt::format("slopes as transformers has them, without alibi_bias_max {:g}", bias_max)
                             : fmt::format("slopes by alibi_bias_max {:g}, which transformers ignores", bias_max);
    }
    if (const auto type = attention.text({"attn_type"}, "multihead_attention"); type != "multihead_attention")
        attention.fail("attn_type",
                       "it is " + quote_foreign(type) + ", not multihead_attention, which alone is imported");
    model.qkv_clip = attention.real({"clip_qkv"}, 0.0, 0.0, 1e9);
    model.score_scale = attention.real({"softmax_scale"}, 0.0, 1e-9, 1e9);  // absent: 1/sqrt(head_dim)
    model.attention_dropout = attention.real({"attn_pdrop"}, 0.0, 0.0, 0.999999);
    attention.refuse("qk_ln", "a norm of queries and keys that is not imported");
    attention.refuse("qk_gn", "a norm of queries and keys that is not imported");
    attention.refuse("prefix_lm", "attention that is not causal in a prefix, which longbow does not have");
    attention.refuse("attn_uses_sequence_id", "attention within packed sequences, which longbow does not have");
    attention.refuse("rope", "rotary positions in MPT are not imported");
    attention.refuse("kv_n_heads", "heads of keys and values of another number are not imported");
    attention.refuse("attn_logit_softcapping", "the scores are bent by a tanh, which longbow does not have");
    if (attention.optional_count({"sliding_window_size"}, -1, kLongestInput).value_or(-1) != -1)
        attention.fail("sliding_window_size", "windows in MPT are not imported");
    read_common_keys(attention);  // transformers writes them here too
    attention.harmless({"attn_impl", "fused_qkv", "rope_theta", "rope_impl", "rope_dail_config", "rope_hf_config",
                        "kv_dim", "tie_word_embeddings"});
    attention.finish("mpt");
}

void configure(HfKeys& keys, HfSettings& settings) {
    set_sizes(keys, settings, {"n_layers", "num_hidden_layers"}, {"d_model", "hidden_size"},
              {"n_heads", "num_attention_heads"});
    auto& model = settings.config.model;
    set_heads(keys, settings, std::nullopt, std::nullopt);
    model.ffn_dim = model.dim * keys.optional_count({"expansion_ratio"}, 1, 64).value_or(kUsualExpansion);
    model.activation = Activation::gelu;
    model.norm_eps = keys.real({"layer_norm_epsilon"}, 1e-5, 1e-12, 0.1);
    set_linear_biases(model, false, false, false, false);
    if (!keys.flag({"no_bias"}, true)) keys.fail("no_bias", "it is false: MPT with biases is not imported");
    if (const auto norm = keys.text({"norm_type"}, "low_precision_layernorm");
        norm != "low_precision_layernorm" && norm != "layernorm")
        keys.fail("norm_type", "it is " + quote_foreign(norm) + ", not a layer norm, which alone is imported");
    keys.refuse("logit_scale", "a scale on the logits, which longbow does not have");
    if (const Json* ffn = keys.object("ffn_config")) {
        HfKeys inner(*ffn, keys.what() + ": ffn_config");
        if (const auto type = inner.text({"ffn_type"}, "mptmlp"); type != "mptmlp")
            inner.fail("ffn_type", "it is " + quote_foreign(type) + ", not mptmlp, which alone is imported");
        inner.refuse("ffn_act_fn", "an activation of its own is not imported");
        inner.harmless({"fc_type"});
        inner.finish("mpt");
    }
    set_dropout(keys, settings, {"resid_pdrop"}, {}, {"emb_pdrop"});
    settings.length = keys.optional_count({"max_seq_len", "max_position_embeddings"}, 1, kLongestInput);
    read_attention(keys, settings);
    // With ALiBi there are no learned positions, whatever learned_pos_emb says.
    keys.harmless({"learned_pos_emb", "embedding_fraction", "init_device", "init_config", "verbose", "attn_impl",
                   "fc_type", "use_pad_tok_in_ffn", "param_init_fn"});
}

void place(const HfSettings& settings, TensorRules& rules) {
    const auto& model = settings.config.model;
    for (std::int64_t i = 0; i < model.layers; ++i) {
        const std::string ours = "layers." + std::to_string(i), theirs = "blocks." + std::to_string(i);
        rules.norm(model, ours + ".norm1", theirs + ".norm_1");
        rules.norm(model, ours + ".norm2", theirs + ".norm_2");
        rules.grouped_rows(model, ours + ".attention", theirs + ".attn.Wqkv", 1, false);
        rules.linear(ours + ".attention.out", theirs + ".attn.out_proj", model.dim, model.dim, false);
        rules.linear(ours + ".ffn.in", theirs + ".ffn.up_proj", model.ffn_dim, model.dim, false);
        rules.linear(ours + ".ffn.out", theirs + ".ffn.down_proj", model.dim, model.ffn_dim, false);
    }
    rules.norm(model, "final_norm", "norm_f");
}

LONGBOW_REGISTER_HF_FAMILY({.name = "mpt",
                            .model_types = {"mpt"},
                            .label = "MPT",
                            .prefixes = {"transformer.", ""},
                            .embedding = "wte.weight",
                            .head = "lm_head.weight",
                            .tied = true,
                            .configure = configure,
                            .place = place});

}  // namespace

}  // namespace longbow
