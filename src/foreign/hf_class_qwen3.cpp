// Qwen 3: as Llama, with norms of queries and keys.
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
    model.qk_norm = QkNorm::head;
    settle_rotary(ours, theirs, /*part=*/false);
    theirs.position.window = ours.position.window;
}

void describe(const Config& theirs, Json& json) {
    describe_as_llama(theirs, json);
    const auto window = theirs.position.window;
    json["use_sliding_window"] = window > 0;
    json["sliding_window"] = window > 0 ? Json(window) : Json(nullptr);
    json["max_window_layers"] = window > 0 ? 0 : theirs.model.layers;
    write_rotary(theirs, /*part=*/false, json);
}

LONGBOW_REGISTER_HF_CLASS({.name = "qwen3",
                           .class_name = "Qwen3ForCausalLM",
                           .holds = "rotary with any scaling and a window; rmsnorm, qk_norm head; swiglu, geglu_tanh; "
                                    "biases of attention; kv_heads, head_dim; embedding_scale none or an untied head",
                           .order = 78,
                           .prefix = "model.",
                           .embedding = "embed_tokens.weight",
                           .head = "lm_head.weight",
                           .settle = settle,
                           .place = [](const HfSettings& theirs,
                                       TensorRules& rules) { place_as_family("qwen3", theirs, rules); },
                           .describe = describe});

}  // namespace

}  // namespace longbow
