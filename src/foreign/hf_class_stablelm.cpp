// StableLM: rotary positions with layer norms and a gate.
#include "hf_class_llama.h"
#include "hf_rope.h"

namespace longbow {

namespace {

void settle(const Config& ours, Config& theirs) {
    settle_as_llama(ours, theirs, /*biases=*/false);
    auto& model = theirs.model;
    model.norm = NormKind::layernorm;
    model.head_dim = 0;
    set_linear_biases(model, ours.model.has_bias(ours.model.qkv_bias), false, false, true);
    settle_rotary(ours, theirs, /*part=*/true);
}

void describe(const Config& theirs, Json& json) {
    const auto& model = theirs.model;
    describe_as_llama(theirs, json);
    for (const char* other : {"head_dim", "rms_norm_eps", "attention_bias"}) json.erase(other);
    json["layer_norm_eps"] = model.norm_eps;
    json["use_qkv_bias"] = model.has_bias(model.qkv_bias);
    json["use_parallel_residual"] = false;
    json["qk_layernorm"] = false;
    json["hidden_dropout"] = model.dropout;
    write_rotary(theirs, /*part=*/true, json);
}

LONGBOW_REGISTER_HF_CLASS(
    {.name = "stablelm",
     .class_name = "StableLmForCausalLM",
     .holds = "rotary, also of a part of each head and with any scaling; layernorm; swiglu, geglu_tanh; biases of q, k "
              "and v and of norms alone; kv_heads; embedding_scale none or an untied head",
     .order = 90,
     .prefix = "model.",
     .embedding = "embed_tokens.weight",
     .head = "lm_head.weight",
     .settle = settle,
     .place = place_as_llama,
     .describe = describe});

}  // namespace

}  // namespace longbow
