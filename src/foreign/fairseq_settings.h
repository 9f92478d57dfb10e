// The settings that fairseq stores beside the weights, completed by fairseq's defaults and its rules for older files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "longbow/config/config.h"
#include "longbow/foreign/torch_file.h"

namespace longbow {

struct FairseqSettings {
    std::string architecture;
    std::int64_t layers = 0, dim = 0, ffn_dim = 0, heads = 0;
    Activation activation = Activation::relu;
    double dropout = 0.0, attention_dropout = 0.0, activation_dropout = 0.0, adaptive_dropout = 0.0;
    bool final_norm = true;  // by the settings; the version tensor may overrule it
    bool scale_embedding = true;
    bool positions = true;  // has embeddings of positions, learned or sinusoidal
    bool adaptive_input = false;
    std::vector<std::int64_t> input_cutoffs, output_cutoffs;  // empty unless adaptive
    double input_factor = 4.0, output_factor = 4.0;
    bool tie_weights = false, tie_projections = false;  // of adaptive models
    bool share_output = false;                          // not adaptive: the output matrix is the embedding
    std::int64_t length = 0;                            // tokens of a training input
    std::int64_t updates = 0;
};

// Throws CheckpointError when the file is no checkpoint of fairseq, or a setting is missing, out of range, or asks for
// a part that Longbow does not have.
FairseqSettings read_fairseq_settings(const TorchFile& file);

}  // namespace longbow
