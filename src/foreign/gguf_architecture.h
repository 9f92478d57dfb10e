// Architectures of GGUF files: a row of a table each, since the names of settings and tensors are the same in all.
#pragma once

#include <string>
#include <vector>

#include "hf_family.h"

namespace longbow {

struct GgufArchitecture {
    // How a model knows the order of its tokens. `neighbours` and `halves` are rotary: which elements of a head make a
    // pair, as the file's rows are laid out.
    enum class Position { neighbours, halves, alibi, learned };
    // What llama.cpp's loader says of a tensor: it stops without one that is required, and reads none of the others.
    enum class Presence { none, optional, required };

    const char* name = "";  // general.architecture
    const char* label = "";
    NormKind norm = NormKind::layernorm;
    Activation activation = Activation::swiglu;
    BlockKind block = BlockKind::pre_norm;
    Position position = Position::halves;
    QkNorm qk_norm = QkNorm::none;
    bool embedding_norm = false;
    bool embedding_scaled = false;  // by sqrt(dim): Gemma, which needs a BOS in each window
    double bias_max = 0.0;          // ALiBi: what the file does not say; 0: it does
    bool whole_scale = false;       // scores are divided by head_dim, not by its root

    // What an export needs to know beside. A file that is read says it by its tensors and keys.
    bool fused = false;             // q, k and v are one matrix
    BlockKind other_block = block;  // that the file may say instead
    Presence qkv_bias = Presence::none, out_bias = Presence::none, ffn_bias = Presence::none;
    Presence norm_bias = Presence::required;  // of layer norms
    Presence head = Presence::optional;       // of its own; none: the output projection is the embedding
    Presence head_bias = Presence::none;
    bool clip = false;               // q, k and v may be clamped
    bool any_head_dim = false;       // heads * head_dim may differ from the width
    bool part = false;               // of a head may turn
    bool frequency_factors = false;  // rope_freqs.weight is used
};

// Returns null for one that is not known.
const GgufArchitecture* gguf_architecture(const std::string& name);
// All of them, in the order in which an export tries them.
const std::vector<GgufArchitecture>& gguf_architecture_table();

}  // namespace longbow
