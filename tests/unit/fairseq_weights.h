// Builds models with the weights of the authors' code (tests/golden): reads its tensors and assigns them to ours by
// name.
#pragma once

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <map>
#include <string>

#include "longbow/model/language_model.h"
#include "unit/golden_tensors.h"

namespace longbow::test {

// Returns the authors' name of one of our stored tensors.
inline std::string fairseq_name(const std::string& ours) {
    if (ours == "position.weight") return "t5_relative_attention_bias.weight";
    if (ours == "head.classes") return "decoder.adaptive_softmax.head.class_proj.weight";
    const auto kind = ours.rfind('.');
    if (ours.starts_with("embed.bands.")) {
        const auto band = ours.substr(12, kind - 12);
        return "decoder.embed_tokens.embeddings." + band + (ours.ends_with(".weight") ? ".0.weight" : ".1.weight");
    }
    static const std::map<std::string, std::string> theirs = {{"attention.q", "self_attn.q_proj"},
                                                              {"attention.k", "self_attn.k_proj"},
                                                              {"attention.v", "self_attn.v_proj"},
                                                              {"attention.out", "self_attn.out_proj"},
                                                              {"norm1", "self_attn_layer_norm"},
                                                              {"norm2", "final_layer_norm"},
                                                              {"ffn.in", "fc1"},
                                                              {"ffn.out", "fc2"}};
    const auto place = ours.find('.', 7) + 1;  // the place after "layers.<n>."
    return "decoder." + ours.substr(0, place) + theirs.at(ours.substr(place, kind - place)) + ours.substr(kind);
}

inline void set_weights(const LanguageModel& model, const Tensors& theirs) {
    const torch::NoGradGuard no_grad;
    for (const auto& stored : model.stored_tensors()) stored.tensor.copy_(theirs.at(fairseq_name(stored.name)));
}

}  // namespace longbow::test
