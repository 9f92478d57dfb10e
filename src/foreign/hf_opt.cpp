// OPT: learned positions whose first two rows are never used. The 350M model has its norms behind the residual sums,
// and an embedding narrower than the model.
#include "hf_family.h"

namespace longbow {

namespace {

constexpr std::int64_t kFirstRow = 2;

void configure(HfKeys& keys, HfSettings& settings) {
    set_sizes(keys, settings, {"num_hidden_layers"}, {"hidden_size"}, {"num_attention_heads"});
    auto& model = settings.config.model;
    set_heads(keys, settings, std::nullopt, std::nullopt);
    model.ffn_dim = keys.count({"ffn_dim"}, 1, kWidestFfn);
    model.activation = plain_activation(keys, {"activation_function"}, "relu");
    model.norm_eps = 1e-5;  // of torch's LayerNorm; there is no key
    const bool bias = keys.flag({"enable_bias"}, true);
    set_linear_biases(model, bias, bias, bias, true);
    model.norm_weights = keys.flag({"layer_norm_elementwise_affine"}, true);
    const bool before = keys.flag({"do_layer_norm_before"}, true);
    model.block = before ? BlockKind::pre_norm : BlockKind::post_norm;
    const bool removed = keys.flag({"_remove_final_layer_norm"}, false);
    model.final_norm = before && !removed;
    const auto width = keys.optional_count({"word_embed_proj_dim"}, 1, kWidest).value_or(model.dim);
    if (width != model.dim) model.embedding_dim = width;
    // Galactica's files have these.
    keys.refuse("scale_embeddings", "a scale on the embedding, which transformers' OPT does not have");
    if (!keys.flag({"learned_embeddings"}, true))
        keys.fail("learned_embeddings", "it is false: OPT without learned positions is not imported");
    set_dropout(keys, settings, {"dropout"}, {"attention_dropout"}, {"layerdrop"});
    model.activation_dropout = keys.real({"activation_dropout"}, 0.0, 0.0, 0.999999);
    settings.length = keys.count({"max_position_embeddings"}, 1, kLongestInput);
    auto& position = settings.config.position;
    position.method = "learned";
    position.options["max_length"] = *settings.length;
    position.options["offset"] = kFirstRow;
}

void place(const HfSettings& settings, TensorRules& rules) {
    const auto& model = settings.config.model;
    rules.whole("position.weight", "embed_positions.weight",
                {std::get<std::int64_t>(settings.config.position.options.at("max_length")) + kFirstRow, model.dim});
    if (model.embedding_dim != 0) {
        rules.linear("embed.project_in", "project_in", model.dim, model.embedding_dim, false);
        rules.linear("head.project_out", "project_out", model.embedding_dim, model.dim, false);
    }
    for (std::int64_t i = 0; i < model.layers; ++i) {
        const std::string ours = "layers." + std::to_string(i), theirs = ours;
        rules.norm(model, ours + ".norm1", theirs + ".self_attn_layer_norm");
        rules.norm(model, ours + ".norm2", theirs + ".final_layer_norm");
        for (const char* part : {"q", "k", "v"}) {
            rules.linear(ours + ".attention." + part, theirs + ".self_attn." + part + "_proj", model.dim, model.dim,
                         model.bias);
        }
        rules.linear(ours + ".attention.out", theirs + ".self_attn.out_proj", model.dim, model.dim, model.bias);
        rules.linear(ours + ".ffn.in", theirs + ".fc1", model.ffn_dim, model.dim, model.bias);
        rules.linear(ours + ".ffn.out", theirs + ".fc2", model.dim, model.ffn_dim, model.bias);
    }
    if (model.final_norm) rules.norm(model, "final_norm", "final_layer_norm");
}

LONGBOW_REGISTER_HF_FAMILY({.name = "opt",
                            .model_types = {"opt"},
                            .label = "OPT",
                            .prefixes = {"model.decoder.", "decoder.", ""},
                            .embedding = "embed_tokens.weight",
                            .head = "lm_head.weight",
                            .tied = true,
                            .configure = configure,
                            .place = place});

}  // namespace

}  // namespace longbow
