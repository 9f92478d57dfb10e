// BioGPT: learned positions behind two unused rows, and an embedding that may be scaled.
#include "hf_class_fairseq.h"
#include "longbow/config/options.h"

namespace longbow {

namespace {

constexpr std::int64_t kFirstRow = 2;

void settle(const Config& ours, Config& theirs) {
    settle_as_fairseq(ours, theirs);
    settle_learned(ours, theirs, kFirstRow);
}

void place(const HfSettings& theirs, TensorRules& rules) {
    const auto rows = option_int(theirs.config.position.options, "max_length") + kFirstRow;
    rules.whole("position.weight", "embed_positions.weight", {rows, theirs.config.model.dim});
    place_as_fairseq(theirs, rules);
}

void describe(const Config& theirs, Json& json) {
    const auto& model = theirs.model;
    json["hidden_size"] = model.dim;
    json["num_attention_heads"] = model.heads;
    json["num_hidden_layers"] = model.layers;
    json["intermediate_size"] = model.ffn_dim;
    json["max_position_embeddings"] = option_int(theirs.position.options, "max_length");
    json["hidden_act"] = hf_activation(model.activation);
    json["scale_embedding"] = model.embedding_scale != EmbeddingScale::none;
    json["layer_norm_eps"] = model.norm_eps;  // the class does not read it
    json["hidden_dropout_prob"] = model.dropout;
    json["attention_probs_dropout_prob"] = model.attention_dropout;
    json["activation_dropout"] = model.activation_dropout;
    json["layerdrop"] = 0.0;
    json["pad_token_id"] = 1;
}

LONGBOW_REGISTER_HF_CLASS({.name = "biogpt",
                           .class_name = "BioGptForCausalLM",
                           .holds = "learned, none; layernorm with norm_eps 1e-5; relu, gelu, gelu_tanh; any biases; "
                                    "any embedding_scale",
                           .order = 50,
                           .prefix = "biogpt.",
                           .embedding = "embed_tokens.weight",
                           .head = "output_projection.weight",
                           .settle = settle,
                           .place = place,
                           .describe = describe});

}  // namespace

}  // namespace longbow
