// Mistral: as Llama without biases, with a window.
#include "hf_class_llama.h"
#include "hf_rope.h"

namespace longbow {

namespace {

void settle(const Config& ours, Config& theirs) {
    settle_as_llama(ours, theirs, /*biases=*/false);
    settle_rotary(ours, theirs, /*part=*/false);
    theirs.position.window = ours.position.window;
}

void describe(const Config& theirs, Json& json) {
    describe_as_llama(theirs, json);
    json.erase("attention_bias");
    json["sliding_window"] = theirs.position.window == 0 ? Json(nullptr) : Json(theirs.position.window);
    write_rotary(theirs, /*part=*/false, json);
}

LONGBOW_REGISTER_HF_CLASS({.name = "mistral",
                           .class_name = "MistralForCausalLM",
                           .holds = "rotary with any scaling and a window; rmsnorm; swiglu, geglu_tanh; no biases; "
                                    "kv_heads, head_dim; embedding_scale none or an untied head",
                           .order = 75,
                           .prefix = "model.",
                           .embedding = "embed_tokens.weight",
                           .head = "lm_head.weight",
                           .settle = settle,
                           .place = place_as_llama,
                           .describe = describe});

}  // namespace

}  // namespace longbow
