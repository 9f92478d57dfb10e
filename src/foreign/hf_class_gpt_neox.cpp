// GPT-NeoX: rotary positions with layer norms and a feed-forward layer without a gate.
#include "hf_class.h"
#include "hf_rope.h"

namespace longbow {

namespace {

constexpr RopeKeys kKeys{"rotary_emb_base", "rotary_pct", 0.25};

void settle(const Config& ours, Config& theirs) {
    const auto& o = ours.model;
    auto& model = theirs.model;
    model.activation = one_of(o.activation, {Activation::gelu, Activation::relu, Activation::gelu_tanh});
    if (o.block == BlockKind::parallel) model.block = BlockKind::parallel;
    const bool bias = o.has_bias(o.qkv_bias) || o.has_bias(o.out_bias);
    set_linear_biases(model, bias, bias, true, true);
    settle_rotary(ours, theirs, /*part=*/true);
}

void place(const HfSettings& theirs, TensorRules& rules) { place_as_family("gpt_neox", theirs, rules); }

void describe(const Config& theirs, Json& json) {
    const auto& model = theirs.model;
    json["hidden_size"] = model.dim;
    json["num_attention_heads"] = model.heads;
    json["num_hidden_layers"] = model.layers;
    json["intermediate_size"] = model.ffn_dim;
    json["hidden_act"] = hf_activation(model.activation);
    json["layer_norm_eps"] = model.norm_eps;
    json["use_parallel_residual"] = model.block == BlockKind::parallel;
    json["attention_bias"] = model.has_bias(model.qkv_bias);
    json["hidden_dropout"] = model.dropout;
    json["attention_dropout"] = model.attention_dropout;
    write_rotary(theirs, /*part=*/true, json, kKeys);
}

LONGBOW_REGISTER_HF_CLASS(
    {.name = "gpt_neox",
     .class_name = "GPTNeoXForCausalLM",
     .holds = "rotary, also of a part of each head and with any scaling; layernorm; pre_norm, parallel; relu, gelu, "
              "gelu_tanh; any biases; embedding_scale none or an untied head",
     .order = 60,
     .prefix = "gpt_neox.",
     .embedding = "embed_in.weight",
     .head = "embed_out.weight",
     .settle = settle,
     .place = place,
     .describe = describe});

}  // namespace

}  // namespace longbow
