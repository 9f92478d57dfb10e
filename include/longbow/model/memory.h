// Computes the memory that a model takes in a forward and a backward pass, in bytes of tensors. Each part of the model
// has a memory() function beside the code whose tensors it counts; LanguageModel::memory() adds the parts up. Sizes are
// doubles because they are multiplied; 2^53 bytes are enough.
#pragma once

#include <cstdint>
#include <string>

#include "longbow/attention/attention_backend.h"

namespace longbow {

// Describes a pass whose memory is computed before it runs. The device need not exist on this machine.
struct PassRequest {
    std::string device = "cpu";  // cpu | cuda | cuda:N
    int threads = 1;             // on a CPU
    std::int64_t batch = 1;      // inputs
    std::int64_t length = 1;     // tokens of each
    // True: the weights' gradients are new tensors that remain until the end of the update. False: each is added to an
    // existing one and released.
    bool gradients_stay = true;
};

// Holds the sizes that all parts' formulas use.
struct PassSizes {
    double tokens = 0;
    double wide = 4;       // bytes of a weight, of the residual stream, of sums
    double narrow = 4;     // bytes of an element in matrix products
    bool half = false;     // autocast: narrow differs from wide
    bool cuda = false;     // false: a CPU
    bool onednn = false;   // fp32 products through oneDNN
    bool widened = false;  // products without gradients in fp32 (widens_products())
    std::int64_t threads = 1;
    bool rotates = false;  // the position method rotates queries and keys
    bool gradients_stay = true;
    AttentionMemory attention;  // of the back-end
};

// Holds the memory of one block.
struct LayerMemory {
    double input = 0;   // its input, which is kept in any case
    double kept = 0;    // from the forward to the backward pass, the input included
    double copies = 0;  // of its weights in half precision, kept as long
    // The peak within its backward pass: what is left of `kept`, temporaries, and the gradients of its weights so far.
    double backward = 0;
    // The peak of a forward pass without gradients, besides its input.
    double evaluation = 0;
};

struct EmbeddingMemory {
    // The gradient of the largest table, a whole table, to which the gradient of a tied output is then added.
    double table_gradient = 0;
    // the gradient of the embedded tokens, and what the backward pass to the tables takes besides it
    double gradient = 0;
    // from the forward to the backward pass, by the norm behind the embedding and its projection; 0: there are none
    double kept = 0;
};

struct HeadMemory {
    double loss = 0;              // peak within the forward pass, besides the hidden states
    double handed_on = 0;         // what it leaves to the backward pass
    double hidden_gradient = 0;   // peak of the backward pass to the hidden states, besides that
    double weight_gradients = 0;  // part of handed_on
    // the part of these that waits for the embedding's gradient of the same matrix
    double tied_gradients = 0;
    double evaluation = 0;  // peak of losses without gradients, besides the hidden states
};

struct ModelMemory {
    std::string attention;          // the back-end that the numbers are for
    double wide = 4;                // bytes of an element of a weight
    double weights = 0;             // all of them
    double largest_weight = 0;      // of these, the largest tensor
    double layer_weights = 0;       // of one block
    double final_norm_weights = 0;  // 0: no final norm
    double stream = 0;              // [batch, length, dim]: the residual stream, its gradient, the hidden states
    double final_norm_input = 0;    // kept for its backward pass; 0: no final norm
    double masks = 0;               // of attention, for all layers together
    EmbeddingMemory embedding;
    LayerMemory layer;
    HeadMemory head;
    // The peak of a forward pass and its losses without gradients, besides the weights and their copies.
    double evaluation = 0;
};

}  // namespace longbow
