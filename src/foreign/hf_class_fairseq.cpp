#include "hf_class_fairseq.h"

namespace longbow {

void settle_as_fairseq(const Config& ours, Config& theirs) {
    auto& model = theirs.model;
    model.activation = one_of(ours.model.activation, {Activation::gelu, Activation::relu, Activation::gelu_tanh});
    model.norm_eps = 1e-5;
    model.embedding_scale = ours.model.embedding_scale;
}

void place_as_fairseq(const HfSettings& theirs, TensorRules& rules) {
    const auto& model = theirs.config.model;
    for (std::int64_t i = 0; i < model.layers; ++i) {
        const std::string layer = "layers." + std::to_string(i);
        rules.norm(model, layer + ".norm1", layer + ".self_attn_layer_norm");
        rules.norm(model, layer + ".norm2", layer + ".final_layer_norm");
        for (const char* part : {"q", "k", "v"}) {
            rules.linear(layer + ".attention." + part, layer + ".self_attn." + part + "_proj", model.dim, model.dim,
                         true);
        }
        rules.linear(layer + ".attention.out", layer + ".self_attn.out_proj", model.dim, model.dim, true);
        rules.linear(layer + ".ffn.in", layer + ".fc1", model.ffn_dim, model.dim, true);
        rules.linear(layer + ".ffn.out", layer + ".fc2", model.dim, model.ffn_dim, true);
    }
    rules.norm(model, "final_norm", "layer_norm");
}

}  // namespace longbow
