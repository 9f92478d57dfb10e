// GPT-2: learned positions, biases everywhere, and weights as [in, out].
#include "hf_family.h"

namespace longbow {

namespace {

void configure(HfKeys& keys, HfSettings& settings) {
    set_sizes(keys, settings, {"n_layer", "num_hidden_layers"}, {"n_embd", "hidden_size"},
              {"n_head", "num_attention_heads"});
    auto& model = settings.config.model;
    set_heads(keys, settings, std::nullopt, std::nullopt);
    model.ffn_dim = keys.optional_count({"n_inner"}, 1, kWidestFfn).value_or(4 * model.dim);
    model.activation = plain_activation(keys, {"activation_function"}, "gelu_new");
    model.norm_eps = keys.real({"layer_norm_epsilon"}, 1e-5, 1e-12, 0.1);
    set_linear_biases(model, true, true, true, true);
    if (!keys.flag({"scale_attn_weights"}, true)) model.score_scale = 1.0;
    model.score_scale_by_layer = keys.flag({"scale_attn_by_inverse_layer_idx"}, false);
    set_dropout(keys, settings, {"resid_pdrop"}, {"attn_pdrop"}, {"embd_pdrop"});
    settings.length = keys.count({"n_positions", "max_position_embeddings"}, 1, kLongestInput);
    auto& position = settings.config.position;
    position.method = "learned";
    position.options["max_length"] = *settings.length;
    // `reorder_and_upcast_attn` concerns rounding alone; n_ctx is n_positions again and binds nothing.
    // n_special and predict_special_tokens are of the first GPT's class.
    keys.harmless({"reorder_and_upcast_attn", "n_ctx", "n_special", "predict_special_tokens", "summary_type",
                   "summary_use_proj", "summary_activation", "summary_proj_to_labels", "summary_first_dropout"});
}

void place(const HfSettings& settings, TensorRules& rules) {
    const auto& model = settings.config.model;
    rules.whole("position.weight", "wpe.weight",
                {std::get<std::int64_t>(settings.config.position.options.at("max_length")), model.dim});
    for (std::int64_t i = 0; i < model.layers; ++i) {
        const std::string ours = "layers." + std::to_string(i), theirs = "h." + std::to_string(i);
        rules.norm(model, ours + ".norm1", theirs + ".ln_1");
        rules.norm(model, ours + ".norm2", theirs + ".ln_2");
        rules.block_columns(model, ours + ".attention", theirs + ".attn.c_attn", true);
        rules.transposed_linear(ours + ".attention.out", theirs + ".attn.c_proj", model.dim, model.dim, true);
        rules.transposed_linear(ours + ".ffn.in", theirs + ".mlp.c_fc", model.ffn_dim, model.dim, true);
        rules.transposed_linear(ours + ".ffn.out", theirs + ".mlp.c_proj", model.dim, model.ffn_dim, true);
    }
    rules.norm(model, "final_norm", "ln_f");
}

LONGBOW_REGISTER_HF_FAMILY({.name = "gpt2",
                            .model_types = {"gpt2"},
                            .label = "GPT-2",
                            .prefixes = {"transformer.", ""},
                            .embedding = "wte.weight",
                            .head = "lm_head.weight",
                            .tied = true,
                            .configure = configure,
                            .place = place});

}  // namespace

}  // namespace longbow
