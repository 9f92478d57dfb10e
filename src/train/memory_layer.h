// The parts of memory_plan.h's account that depend on the model's code: what a layer keeps from its forward to its backward pass and takes in
// between, and the same of the output head. Each formula stands for the code that it names and has to follow it; the tests compare with
// measured runs.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>

#include "longbow/config/config.h"
#include "longbow/model/model_sizes.h"

namespace longbow {

// What the formulas share. Sizes are doubles: they are multiplied, and 2^53 bytes are enough.
struct PassSizes {
    double tokens = 0;  // of a micro-batch
    double length = 0;  // of an input
    double batch = 0;
    double wide = 4;    // bytes of a weight, of the residual stream, of sums
    double narrow = 4;  // bytes of an element in matrix products
    bool half = false;  // autocast: narrow is not wide
    bool cuda = false;
    bool onednn = false;      // fp32 products through oneDNN (CPU)
    bool rotary = false;      // the position method turns queries and keys
    bool table_grad = false;  // it has a bias table that is learnt
    bool bias = false;        // it has a bias of any kind
    double workspace = 0;     // of the fused attention's backward pass
    double threads = 1;       // CPU
    std::string attention;    // fused | sdpa | reference
};

// How many threads take rows of their own through the products with a weight of so many numbers, and the rows of one (model/row_chunks.h).
struct RowThreads {
    double threads, share;
    static constexpr double kRows = 512;
    // Matrices at once: each thread's sum and, with more than one chunk, a product; at the end the sums and the whole one's transpose.
    [[nodiscard]] double matrices(double chunk = kRows) const { return std::max((share > chunk ? 2 : 1) * threads, threads + 1); }
};
inline RowThreads row_threads(const PassSizes& pass, double numbers) {
    constexpr double kFewestRows = 64, kMostNumbers = 4 << 20;
    double threads = std::min(pass.threads, std::floor(pass.tokens / kFewestRows));
    if (!pass.onednn || threads < 1 || threads * numbers > kMostNumbers) threads = 1;
    return {threads, std::ceil(pass.tokens / threads)};
}

struct LayerMemory {
    double input = 0;     // its input, which stays in any case
    double kept = 0;      // from the forward to the backward pass, the input included
    double copies = 0;    // of its weights in half precision, kept as long
    double backward = 0;  // most at one moment of its backward pass: what is left of `kept`, temporaries, its weights' gradients so far
};
// gradients_stay: the weights' gradients are new tensors that stay; false: each is added to one that is there, and goes.
LayerMemory layer_memory(const ModelConfig& model, const PassSizes& pass, bool gradients_stay);

// A forward pass of one layer without gradients: the most beside its input.
double layer_evaluation(const ModelConfig& model, const PassSizes& pass);

struct HeadMemory {
    double loss = 0;              // most at one moment of the forward pass, beside the hidden states
    double handed_on = 0;         // what it leaves to the backward pass
    double hidden_gradient = 0;   // most that the way back to the hidden states takes beside that
    double weight_gradients = 0;  // part of handed_on
};
HeadMemory head_memory(const Config& config, const ModelSizes& sizes, const PassSizes& pass);

// Losses without gradients.
double head_evaluation(const Config& config, const ModelSizes& sizes, const PassSizes& pass);

// Masks that attention holds once for all layers, and of a table that is learnt its gradient: bytes.
double attention_mask(const ModelConfig& model, const PassSizes& pass);

}  // namespace longbow
