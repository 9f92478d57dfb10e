// XGLM: fairseq's sinusoids.
#include "hf_class_fairseq.h"

namespace longbow {

namespace {

void settle(const Config& ours, Config& theirs) {
    settle_as_fairseq(ours, theirs);
    theirs.position.method = "sinusoidal";
    theirs.position.options.clear();
}

void describe(const Config& theirs, Json& json) {
    const auto& model = theirs.model;
    json["d_model"] = model.dim;
    json["attention_heads"] = model.heads;
    json["num_layers"] = model.layers;
    json["ffn_dim"] = model.ffn_dim;
    json["max_position_embeddings"] = longest_input(theirs);  // its table grows with longer inputs
    json["activation_function"] = hf_activation(model.activation);
    json["scale_embedding"] = model.embedding_scale != EmbeddingScale::none;
    json["dropout"] = model.dropout;
    json["attention_dropout"] = model.attention_dropout;
    json["activation_dropout"] = model.activation_dropout;
    json["layerdrop"] = 0.0;
    // The row of this id in the table of sinusoids is 0. Positions begin with row 2, so that it is never used.
    json["pad_token_id"] = 1;
}

LONGBOW_REGISTER_HF_CLASS({.name = "xglm",
                           .class_name = "XGLMForCausalLM",
                           .holds = "sinusoidal; layernorm with norm_eps 1e-5; relu, gelu, gelu_tanh; any biases; any "
                                    "embedding_scale",
                           .order = 40,
                           .prefix = "model.",
                           .embedding = "embed_tokens.weight",
                           .head = "lm_head.weight",
                           .settle = settle,
                           .place = place_as_fairseq,
                           .describe = describe});

}  // namespace

}  // namespace longbow
