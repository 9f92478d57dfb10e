// Gemma: as Llama, with a scaled embedding and norms whose stored weights lack 1.
#include "hf_class_llama.h"
#include "hf_rope.h"

namespace longbow {

namespace {

void settle(const Config& ours, Config& theirs) {
    settle_as_llama(ours, theirs, /*biases=*/false);
    auto& model = theirs.model;
    const auto& o = ours.model;
    const bool attention = o.has_bias(o.qkv_bias) || o.has_bias(o.out_bias);
    set_linear_biases(model, attention, attention, false, false);
    model.norm = NormKind::rmsnorm_1p;
    model.embedding_scale = ours.model.embedding_scale == EmbeddingScale::sqrt_dim ? EmbeddingScale::sqrt_dim
                                                                                   : EmbeddingScale::sqrt_dim_fp32;
    settle_rotary(ours, theirs, /*part=*/false);
}

void describe(const Config& theirs, Json& json) {
    describe_as_llama(theirs, json);
    json["hidden_activation"] = json["hidden_act"];  // older releases read this one
    write_rotary(theirs, /*part=*/false, json);
}

LONGBOW_REGISTER_HF_CLASS(
    {.name = "gemma",
     .class_name = "GemmaForCausalLM",
     .holds = "rotary with any scaling; rmsnorm_1p, rmsnorm; swiglu, geglu_tanh; biases of attention; kv_heads, "
              "head_dim; embedding_scale sqrt_dim or an untied head",
     .order = 80,
     .prefix = "model.",
     .embedding = "embed_tokens.weight",
     .head = "lm_head.weight",
     .settle = settle,
     .place = place_as_llama,
     .describe = describe});

}  // namespace

}  // namespace longbow
