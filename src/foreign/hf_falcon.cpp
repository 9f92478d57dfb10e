// Falcon, in three forms: Falcon-RW (ALiBi, sequential), 7B (one head of keys and values, parallel with one norm) and
// 40B (groups of heads, parallel with two norms). Files from before its class was in transformers call it RefinedWeb
// and RefinedWebModel.
//
// ALiBi differs from everybody else's twice: the biases are divided by sqrt(head_dim) with the scores, and transformers
// rounds them to bfloat16 whatever the model's type.
#include <cmath>

#include "hf_family.h"
#include "hf_rope.h"

namespace longbow {

namespace {

void read_position(HfKeys& keys, HfSettings& settings) {
    auto& position = settings.config.position;
    if (!keys.flag({"alibi"}, false)) return set_rotary(keys, settings);
    position.method = "alibi";
    position.options["slope_scale"] = 1.0 / std::sqrt(static_cast<double>(settings.config.model.head_size()));
    if (settings.rounded) position.options["rounding"] = std::string("falcon");
    settings.definition = settings.rounded
                              ? "ALiBi rounded to bfloat16, as transformers computes it"
                              : "ALiBi as the paper defines it, without transformers' rounding to bfloat16";
    keys.harmless({"rope_parameters", "rope_scaling", "rope_theta"});
}

void configure(HfKeys& keys, HfSettings& settings) {
    set_sizes(keys, settings, {"num_hidden_layers", "n_layer"}, {"hidden_size", "n_embed"},
              {"num_attention_heads", "n_head"});
    auto& model = settings.config.model;
    const bool groups = keys.flag({"new_decoder_architecture"}, keys.text({"model_type"}, "") == "RefinedWeb");
    const auto kv_heads = keys.optional_count({"num_kv_heads", "n_head_kv"}, 1, kMostHeads);
    const bool one_head = keys.flag({"multi_query"}, true);
    set_heads(keys, settings,
              groups     ? kv_heads
              : one_head ? std::optional<std::int64_t>(1)
                         : std::nullopt,
              std::nullopt);
    const bool parallel = keys.flag({"parallel_attn"}, true) || groups;
    const auto norms = keys.optional_count({"num_ln_in_parallel_attn"}, 1, 2).value_or(groups ? 2 : 1);
    if (norms == 2 && !groups && parallel)
        keys.fail("num_ln_in_parallel_attn", "2 norms without new_decoder_architecture is no model that exists");
    model.block = !parallel ? BlockKind::pre_norm : norms == 2 ? BlockKind::parallel : BlockKind::parallel_one_norm;
    model.ffn_dim = keys.optional_count({"ffn_hidden_size"}, 1, kWidestFfn).value_or(4 * model.dim);
    keys.harmless({"ff_factor"});  // of Falcon-11B's file, whose class reads ffn_hidden_size alone
    model.activation = plain_activation(keys, {"activation"}, "gelu");
    model.norm_eps = keys.real({"layer_norm_epsilon"}, 1e-5, 1e-12, 0.1);
    const bool bias = keys.flag({"bias"}, false);
    set_linear_biases(model, bias, bias, bias, true);
    keys.refuse("apply_residual_connection_post_layernorm",
                "the residual is the norm's output, which transformers' Falcon does not have");
    set_dropout(keys, settings, {"hidden_dropout"}, {"attention_dropout"}, {});
    settings.length = keys.optional_count({"max_position_embeddings", "seq_length"}, 1, kLongestInput);
    read_position(keys, settings);
}

void place(const HfSettings& settings, TensorRules& rules) {
    const auto& model = settings.config.model;
    const bool bias = model.bias;
    const bool two_parallel = model.block == BlockKind::parallel;
    for (std::int64_t i = 0; i < model.layers; ++i) {
        const std::string ours = "layers." + std::to_string(i), theirs = "h." + std::to_string(i);
        rules.norm(model, ours + ".norm1", theirs + (two_parallel ? ".ln_attn" : ".input_layernorm"));
        if (two_parallel) rules.norm(model, ours + ".norm2", theirs + ".ln_mlp");
        if (model.block == BlockKind::pre_norm)
            rules.norm(model, ours + ".norm2", theirs + ".post_attention_layernorm");
        // One group a head of keys and values serves all three forms.
        rules.grouped_rows(model, ours + ".attention", theirs + ".self_attention.query_key_value",
                           model.key_value_heads(), bias);
        rules.linear(ours + ".attention.out", theirs + ".self_attention.dense", model.dim, model.dim, bias);
        rules.linear(ours + ".ffn.in", theirs + ".mlp.dense_h_to_4h", model.ffn_dim, model.dim, bias);
        rules.linear(ours + ".ffn.out", theirs + ".mlp.dense_4h_to_h", model.dim, model.ffn_dim, bias);
    }
    rules.norm(model, "final_norm", "ln_f");
}

LONGBOW_REGISTER_HF_FAMILY({.name = "falcon",
                            .model_types = {"falcon", "RefinedWeb", "RefinedWebModel"},
                            .label = "Falcon",
                            .prefixes = {"transformer.", ""},
                            .embedding = "word_embeddings.weight",
                            .head = "lm_head.weight",
                            .tied = true,
                            .configure = configure,
                            .place = place});

}  // namespace

}  // namespace longbow
