// Llama: rotary positions with RMSNorm and a gate.
#include "hf_class_llama.h"

#include "hf_rope.h"

namespace longbow {

void settle_as_llama(const Config& ours, Config& theirs, bool biases) {
    const auto& o = ours.model;
    auto& model = theirs.model;
    model.kv_heads = o.kv_heads;
    model.head_dim = o.head_dim;
    model.norm = NormKind::rmsnorm;
    model.activation = one_of(o.activation, {Activation::swiglu, Activation::geglu_tanh});
    const bool attention = biases && (o.has_bias(o.qkv_bias) || o.has_bias(o.out_bias));
    const bool ffn = biases && o.has_bias(o.ffn_bias);
    set_linear_biases(model, attention, attention, ffn, ffn);
}

void place_as_llama(const HfSettings& theirs, TensorRules& rules) { place_as_family("llama", theirs, rules); }

void describe_as_llama(const Config& theirs, Json& json) {
    const auto& model = theirs.model;
    json["hidden_size"] = model.dim;
    json["num_attention_heads"] = model.heads;
    json["num_key_value_heads"] = model.key_value_heads();
    json["head_dim"] = model.head_size();
    json["num_hidden_layers"] = model.layers;
    json["intermediate_size"] = model.ffn_dim;
    json["hidden_act"] = hf_activation(model.activation);
    json["rms_norm_eps"] = model.norm_eps;
    json["attention_bias"] = model.has_bias(model.qkv_bias);
    json["attention_dropout"] = model.attention_dropout;
}

namespace {

void settle(const Config& ours, Config& theirs) {
    settle_as_llama(ours, theirs, /*biases=*/true);
    settle_rotary(ours, theirs, /*part=*/false);
}

void describe(const Config& theirs, Json& json) {
    describe_as_llama(theirs, json);
    json["mlp_bias"] = theirs.model.has_bias(theirs.model.ffn_bias);
    write_rotary(theirs, /*part=*/false, json);
}

LONGBOW_REGISTER_HF_CLASS(
    {.name = "llama",
     .class_name = "LlamaForCausalLM",
     .holds = "rotary with any scaling; rmsnorm; swiglu, geglu_tanh; any biases; kv_heads, head_dim; embedding_scale "
              "none or an untied head",
     .order = 70,
     .prefix = "model.",
     .embedding = "embed_tokens.weight",
     .head = "lm_head.weight",
     .settle = settle,
     .place = place_as_llama,
     .describe = describe});

}  // namespace

}  // namespace longbow
