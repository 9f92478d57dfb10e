// OPT: learned positions behind two unused rows; norms in front or behind, with or without weights; an embedding
// narrower than the model.
#include "hf_class.h"
#include "longbow/config/options.h"

namespace longbow {

namespace {

constexpr double kEps = 1e-5;  // there is no key
constexpr std::int64_t kFirstRow = 2;

void settle(const Config& ours, Config& theirs) {
    const auto& o = ours.model;
    auto& model = theirs.model;
    model.activation = one_of(o.activation, {Activation::relu, Activation::gelu, Activation::gelu_tanh});
    model.norm_eps = kEps;
    const bool bias = o.has_bias(o.qkv_bias) || o.has_bias(o.out_bias) || o.has_bias(o.ffn_bias);
    set_linear_biases(model, bias, bias, bias, true);
    model.norm_weights = o.norm_weights;
    model.embedding_dim = o.embedding_dim;
    if (o.block == BlockKind::post_norm) model.block = BlockKind::post_norm;
    model.final_norm = o.final_norm && model.block == BlockKind::pre_norm;
    settle_learned(ours, theirs, kFirstRow);
}

void place(const HfSettings& theirs, TensorRules& rules) { place_as_family("opt", theirs, rules); }

void describe(const Config& theirs, Json& json) {
    const auto& model = theirs.model;
    json["hidden_size"] = model.dim;
    json["num_attention_heads"] = model.heads;
    json["num_hidden_layers"] = model.layers;
    json["ffn_dim"] = model.ffn_dim;
    json["max_position_embeddings"] = option_int(theirs.position.options, "max_length");
    json["activation_function"] = hf_activation(model.activation);
    json["enable_bias"] = model.bias;
    json["layer_norm_elementwise_affine"] = model.norm_weights;
    json["do_layer_norm_before"] = model.block == BlockKind::pre_norm;
    json["_remove_final_layer_norm"] = model.block == BlockKind::pre_norm && !model.final_norm;
    json["word_embed_proj_dim"] = model.token_dim();
    json["dropout"] = model.dropout;
    json["attention_dropout"] = model.attention_dropout;
    json["activation_dropout"] = model.activation_dropout;
    json["layerdrop"] = 0.0;
}

LONGBOW_REGISTER_HF_CLASS(
    {.name = "opt",
     .class_name = "OPTForCausalLM",
     .holds = "learned, none; layernorm with norm_eps 1e-5, also behind (post_norm), without weights or without the "
              "final one; relu, gelu, gelu_tanh; any biases; embedding_dim; embedding_scale none or an untied head",
     .order = 30,
     .prefix = "model.decoder.",
     .embedding = "embed_tokens.weight",
     .head = "lm_head.weight",
     .settle = settle,
     .place = place,
     .describe = describe});

}  // namespace

}  // namespace longbow
