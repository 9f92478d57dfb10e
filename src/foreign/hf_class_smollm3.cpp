// SmolLM3: as Llama, with layers that have no positions, here all of them.
#include "hf_class_llama.h"

namespace longbow {

namespace {

void settle(const Config& ours, Config& theirs) {
    settle_as_llama(ours, theirs, /*biases=*/true);
    theirs.position.method = "none";
    theirs.position.options.clear();
}

void describe(const Config& theirs, Json& json) {
    const auto& model = theirs.model;
    describe_as_llama(theirs, json);
    json["mlp_bias"] = model.has_bias(model.ffn_bias);
    json["max_position_embeddings"] = longest_input(theirs);
    json["no_rope_layers"] = std::vector<int>(static_cast<std::size_t>(model.layers), 0);
    json["no_rope_layer_interval"] = 1;
    json["use_sliding_window"] = false;
    json["layer_types"] = std::vector<std::string>(static_cast<std::size_t>(model.layers), "full_attention");
    // The class makes the table of a rotation, though no layer uses it.
    json["rope_theta"] = 10000.0;
    json["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 10000.0}};
    json["pad_token_id"] = nullptr;
}

LONGBOW_REGISTER_HF_CLASS({.name = "smollm3",
                           .class_name = "SmolLM3ForCausalLM",
                           .holds = "none; rmsnorm; swiglu, geglu_tanh; any biases; kv_heads, head_dim; "
                                    "embedding_scale none or an untied head",
                           .order = 100,
                           .prefix = "model.",
                           .embedding = "embed_tokens.weight",
                           .head = "lm_head.weight",
                           .settle = settle,
                           .place = place_as_llama,
                           .describe = describe});

}  // namespace

}  // namespace longbow
