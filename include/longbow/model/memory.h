// What a model holds of memory in a forward and a backward pass, in bytes of tensors. Each part of the model counts its
// own in its own file, by a memory() beside the code that it counts; LanguageModel::memory() puts the parts together.
// Sizes are doubles: they are multiplied, and 2^53 bytes are enough.
#pragma once

#include <cstdint>
#include <string>

#include "longbow/attention/attention_backend.h"

namespace longbow {

// A pass that is counted before it is run. The device need not be there.
struct PassRequest {
    std::string device = "cpu";  // cpu | cuda | cuda:N
    int threads = 1;             // on a CPU
    std::int64_t batch = 1;      // inputs
    std::int64_t length = 1;     // tokens of each
    // The weights' gradients are new tensors that stay until the update's end; false: each is added to one that is
    // there, and goes.
    bool gradients_stay = true;
};

// What the parts' accounts share.
struct PassSizes {
    double tokens = 0;
    double wide = 4;      // bytes of a weight, of the residual stream, of sums
    double narrow = 4;    // bytes of an element in matrix products
    bool half = false;    // autocast: narrow is not wide
    bool cuda = false;    // else a CPU
    bool onednn = false;  // fp32 products through oneDNN
    std::int64_t threads = 1;
    bool rotates = false;  // the position method turns queries and keys
    bool gradients_stay = true;
    AttentionMemory attention;  // of the back-end
};

// One block.
struct LayerMemory {
    double input = 0;     // its input, which stays in any case
    double kept = 0;      // from the forward to the backward pass, the input included
    double copies = 0;    // of its weights in half precision, kept as long
    double backward = 0;  // most at one moment of its backward pass: what is left of `kept`, temporaries, its weights'
                          // gradients so far
    double evaluation = 0;  // most of a forward pass without gradients, beside its input
};

struct EmbeddingMemory {
    double table_gradient = 0;  // of the largest table: a whole one, which is then added where the output is tied
    double gradient = 0;        // of the embedded tokens, with what the way back to the tables takes beside it
};

struct HeadMemory {
    double loss = 0;              // most at one moment of the forward pass, beside the hidden states
    double handed_on = 0;         // what it leaves to the backward pass
    double hidden_gradient = 0;   // most that the way back to the hidden states takes beside that
    double weight_gradients = 0;  // part of handed_on
    double tied_gradients = 0;    // of these, what waits for the embedding's gradient of the same matrix
    double evaluation = 0;        // most of losses without gradients, beside the hidden states
};

struct ModelMemory {
    std::string attention;          // the back-end that this is for
    double wide = 4;                // of a weight's number
    double weights = 0;             // all of them
    double largest_weight = 0;      // the largest tensor of these
    double layer_weights = 0;       // of one block
    double final_norm_weights = 0;  // 0: there is no final norm
    double stream = 0;              // [batch, length, dim]: the residual stream, its gradient, the hidden states
    double final_norm_input = 0;    // which it keeps; 0: there is no final norm
    double masks = 0;               // of attention, for all layers together
    EmbeddingMemory embedding;
    LayerMemory layer;
    HeadMemory head;
    double evaluation =
        0;  // most of a forward pass and its losses without gradients, beside the weights and their copies
};

}  // namespace longbow
