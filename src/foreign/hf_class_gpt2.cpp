// GPT-2: learned positions, or none with a table of 0.
#include "hf_class.h"
#include "longbow/config/options.h"

namespace longbow {

namespace {

void settle(const Config& ours, Config& theirs) {
    auto& model = theirs.model;
    model.activation = one_of(ours.model.activation, {Activation::gelu, Activation::gelu_tanh, Activation::relu});
    // Its scores are divided by sqrt(head_dim) or not.
    model.score_scale = ours.model.score_scale == 1.0 ? 1.0 : 0.0;
    model.score_scale_by_layer = ours.model.score_scale_by_layer;
    settle_learned(ours, theirs, 0);
}

void place(const HfSettings& theirs, TensorRules& rules) { place_as_family("gpt2", theirs, rules); }

void describe(const Config& theirs, Json& json) {
    const auto& model = theirs.model;
    json["n_embd"] = model.dim;
    json["n_head"] = model.heads;
    json["n_layer"] = model.layers;
    json["n_inner"] = model.ffn_dim;
    json["n_positions"] = option_int(theirs.position.options, "max_length");
    json["activation_function"] = hf_activation(model.activation);
    json["layer_norm_epsilon"] = model.norm_eps;
    json["scale_attn_weights"] = model.score_scale == 0.0;
    json["scale_attn_by_inverse_layer_idx"] = model.score_scale_by_layer;
    json["resid_pdrop"] = model.dropout;
    json["embd_pdrop"] = model.dropout;
    json["attn_pdrop"] = model.attention_dropout;
}

LONGBOW_REGISTER_HF_CLASS(
    {.name = "gpt2",
     .class_name = "GPT2LMHeadModel",
     .holds = "learned, none (up to 16 times the trained length); layernorm; relu, gelu, gelu_tanh; any biases; "
              "embedding_scale none or an untied head",
     .order = 20,
     .prefix = "transformer.",
     .embedding = "wte.weight",
     .head = "lm_head.weight",
     .settle = settle,
     .place = place,
     .describe = describe});

}  // namespace

}  // namespace longbow
