// Builds models with the weights of the authors' code (tests/golden): reads its tensors and assigns them to ours by
// name.
#pragma once

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <map>
#include <span>
#include <string>

#include "longbow/core/files.h"
#include "longbow/core/safetensors_header.h"
#include "longbow/model/language_model.h"

namespace longbow::test {

using Tensors = std::map<std::string, at::Tensor>;

inline Tensors read_tensors(const std::string& path) {
    const auto bytes = read_file(path);
    const auto header = parse_safetensors_header(std::as_bytes(std::span(bytes)), path);
    Tensors tensors;
    for (const auto& entry : header.tensors) {
        const auto type = entry.dtype == "I64" ? torch::kLong : torch::kFloat;
        auto* data = const_cast<char*>(bytes.data()) + header.data_begin + entry.begin;
        tensors[entry.name] = torch::from_blob(data, entry.shape, type).clone();
    }
    return tensors;
}

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
