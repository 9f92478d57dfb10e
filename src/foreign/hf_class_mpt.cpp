// MPT: ALiBi, layer norms without biases, no biases at all.
#include <algorithm>

#include "hf_class.h"
#include "longbow/config/options.h"

namespace longbow {

namespace {

// Its table of biases ends with the longest input, and is made anew in each pass.
constexpr std::int64_t kLongest = 131072;

bool power_of_two(std::int64_t number) { return (number & (number - 1)) == 0; }

void settle(const Config& ours, Config& theirs) {
    auto& model = theirs.model;
    set_linear_biases(model, false, false, false, false);
    model.activation = Activation::gelu;
    model.ffn_dim = 4 * model.dim;
    model.qkv_clip = ours.model.qkv_clip;
    model.score_scale = ours.model.score_scale;
    auto& position = theirs.position;
    position.method = "alibi";
    if (!has_position(ours, "alibi")) return position.options.clear();
    reset_other_options(position, kAlibiOptions);
    // Both rules give the same slopes for as many heads.
    if (!power_of_two(model.heads)) position.options["slopes"] = std::string("authors");
    position.options["slope_scale"] = 1.0;
    position.options["bias_max"] = 8.0;
    position.options["rounding"] = std::string("none");
}

void place(const HfSettings& theirs, TensorRules& rules) { place_as_family("mpt", theirs, rules); }

void describe(const Config& theirs, Json& json) {
    const auto& model = theirs.model;
    const auto optional = [](double value) { return value == 0.0 ? Json(nullptr) : Json(value); };
    json["d_model"] = model.dim;
    json["n_heads"] = model.heads;
    json["n_layers"] = model.layers;
    json["expansion_ratio"] = 4;
    json["max_seq_len"] = std::max(kLongest, longest_input(theirs));
    json["layer_norm_epsilon"] = model.norm_eps;
    json["norm_type"] = "low_precision_layernorm";
    json["no_bias"] = true;
    json["learned_pos_emb"] = false;
    json["resid_pdrop"] = model.dropout;
    json["emb_pdrop"] = model.dropout;
    json["attn_config"] = {{"attn_type", "multihead_attention"},
                           {"alibi", true},
                           {"alibi_bias_max", 8},
                           {"clip_qkv", optional(model.qkv_clip)},
                           {"softmax_scale", optional(model.score_scale)}};
}

LONGBOW_REGISTER_HF_CLASS(
    {.name = "mpt",
     .class_name = "MptForCausalLM",
     .holds = "alibi; layernorm, gelu, no biases, ffn_dim 4 dim, embedding_scale none or an untied head",
     .order = 10,
     .prefix = "transformer.",
     .embedding = "wte.weight",
     .head = "lm_head.weight",
     .settle = settle,
     .place = place,
     .describe = describe});

}  // namespace

}  // namespace longbow
