// GPT-J: rotary positions over the first elements of each head, in neighbouring pairs; attention and feed-forward layer
// side by side behind one norm; an output projection with a bias.
#include <fmt/core.h>

#include "hf_family.h"

namespace longbow {

namespace {

void configure(HfKeys& keys, HfSettings& settings) {
    set_sizes(keys, settings, {"n_layer", "num_hidden_layers"}, {"n_embd", "hidden_size"},
              {"n_head", "num_attention_heads"});
    auto& model = settings.config.model;
    set_heads(keys, settings, std::nullopt, std::nullopt);
    model.ffn_dim = keys.optional_count({"n_inner"}, 1, kWidestFfn).value_or(4 * model.dim);
    model.block = BlockKind::parallel_one_norm;
    model.activation = plain_activation(keys, {"activation_function"}, "gelu_new");
    model.norm_eps = keys.real({"layer_norm_epsilon"}, 1e-5, 1e-12, 0.1);
    set_linear_biases(model, false, false, true, true);
    model.head_bias = true;
    set_dropout(keys, settings, {"resid_pdrop"}, {"attn_pdrop"}, {"embd_pdrop"});
    settings.length = keys.optional_count({"n_positions", "max_position_embeddings"}, 1, kLongestInput);
    const auto turned = keys.count({"rotary_dim"}, 2, kWidest);
    if (turned > model.head_size() || turned % 2 != 0)
        keys.fail("rotary_dim", fmt::format("it is {}, and a head has {} elements", turned, model.head_size()));
    auto& position = settings.config.position;
    position.method = "rotary";
    position.options["pairs"] = std::string("interleaved");
    position.options["base"] = 10000.0;
    if (turned != model.head_size()) position.options["dim"] = turned;
    keys.harmless({"rotary", "n_ctx", "scale_attn_weights", "summary_type", "summary_use_proj", "summary_activation",
                   "summary_proj_to_labels", "summary_first_dropout"});
}

void place(const HfSettings& settings, TensorRules& rules) {
    const auto& model = settings.config.model;
    for (std::int64_t i = 0; i < model.layers; ++i) {
        const std::string ours = "layers." + std::to_string(i), theirs = "h." + std::to_string(i);
        rules.norm(model, ours + ".norm1", theirs + ".ln_1");
        for (const char* part : {"q", "k", "v", "out"}) {
            rules.linear(ours + ".attention." + part, theirs + ".attn." + part + "_proj", model.dim, model.dim, false);
        }
        rules.linear(ours + ".ffn.in", theirs + ".mlp.fc_in", model.ffn_dim, model.dim, true);
        rules.linear(ours + ".ffn.out", theirs + ".mlp.fc_out", model.dim, model.ffn_dim, true);
    }
    rules.norm(model, "final_norm", "ln_f");
    rules.whole("head.bias", "lm_head.bias", {settings.vocab_size}, /*prefixed=*/false);
}

LONGBOW_REGISTER_HF_FAMILY({.name = "gptj",
                            .model_types = {"gptj"},
                            .label = "GPT-J",
                            .prefixes = {"transformer.", ""},
                            .embedding = "wte.weight",
                            .head = "lm_head.weight",
                            .tied = false,
                            .configure = configure,
                            .place = place});

}  // namespace

}  // namespace longbow
