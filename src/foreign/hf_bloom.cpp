// BLOOM: ALiBi, a norm behind the embedding, biases everywhere. The linear layer for queries, keys and values has its
// rows by head.
#include "hf_family.h"

namespace longbow {

namespace {

void configure(HfKeys& keys, HfSettings& settings) {
    set_sizes(keys, settings, {"n_layer", "num_hidden_layers"}, {"hidden_size", "n_embed"},
              {"n_head", "num_attention_heads"});
    auto& model = settings.config.model;
    set_heads(keys, settings, std::nullopt, std::nullopt);
    model.ffn_dim = 4 * model.dim;
    if (keys.optional_count({"n_inner"}, 1, kWidestFfn).value_or(model.ffn_dim) != model.ffn_dim)
        keys.fail("n_inner", "BLOOM's feed-forward layer is always 4 times as wide as the model");
    model.block = keys.flag({"apply_residual_connection_post_layernorm"}, false) ? BlockKind::normed_residual
                                                                                 : BlockKind::pre_norm;
    model.activation = Activation::gelu_bloom;
    model.norm_eps = keys.real({"layer_norm_epsilon"}, 1e-5, 1e-12, 0.1);
    model.embedding_norm = true;
    set_linear_biases(model, true, true, true, true);
    set_dropout(keys, settings, {"hidden_dropout"}, {"attention_dropout"}, {});
    settings.length = keys.optional_count({"seq_length"}, 1, kLongestInput);
    settings.config.position.method = "alibi";
    if (keys.flag({"slow_but_exact"}, false) && keys.optional_count({"pretraining_tp"}, 1, kWidest).value_or(1) > 1)
        settings.definition = "with the biases that transformers leaves out by slow_but_exact";
    // These concern rounding and the writing program's kernels.
    keys.harmless({"pretraining_tp", "attention_softmax_in_fp32", "bias_dropout_fusion", "masked_softmax_fusion",
                   "skip_bias_add", "skip_bias_add_qkv", "offset_alibi"});
}

void place(const HfSettings& settings, TensorRules& rules) {
    const auto& model = settings.config.model;
    rules.norm(model, "embed.norm", "word_embeddings_layernorm");
    for (std::int64_t i = 0; i < model.layers; ++i) {
        const std::string ours = "layers." + std::to_string(i), theirs = "h." + std::to_string(i);
        rules.norm(model, ours + ".norm1", theirs + ".input_layernorm");
        rules.norm(model, ours + ".norm2", theirs + ".post_attention_layernorm");
        rules.grouped_rows(model, ours + ".attention", theirs + ".self_attention.query_key_value", model.heads, true);
        rules.linear(ours + ".attention.out", theirs + ".self_attention.dense", model.dim, model.dim, true);
        rules.linear(ours + ".ffn.in", theirs + ".mlp.dense_h_to_4h", model.ffn_dim, model.dim, true);
        rules.linear(ours + ".ffn.out", theirs + ".mlp.dense_4h_to_h", model.dim, model.ffn_dim, true);
    }
    rules.norm(model, "final_norm", "ln_f");
}

LONGBOW_REGISTER_HF_FAMILY({.name = "bloom",
                            .model_types = {"bloom"},
                            .label = "BLOOM",
                            .prefixes = {"transformer.", ""},
                            .embedding = "word_embeddings.weight",
                            .head = "lm_head.weight",
                            .tied = true,
                            .configure = configure,
                            .place = place});

}  // namespace

}  // namespace longbow
