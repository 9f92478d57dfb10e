#include "memory_layer.h"

#include <algorithm>
#include <cmath>

namespace longbow {

namespace {

struct Sizes {
    double dim, ffn, heads;
    double stream;                    // [tokens, dim], wide: the residual stream and its gradient
    double hidden;                    // [tokens, dim], narrow
    double inner;                     // [tokens, ffn_dim], narrow
    double scores;                    // [batch, heads, length, length], one byte each
    double projection, feed_forward;  // weights: one matrix [dim, dim]; all of the feed-forward layer's, in numbers
};

Sizes sizes_of(const ModelConfig& model, const PassSizes& pass) {
    Sizes s{};
    s.dim = static_cast<double>(model.dim);
    s.ffn = static_cast<double>(model.ffn_dim);
    s.heads = static_cast<double>(model.heads);
    s.stream = pass.tokens * s.dim * pass.wide;
    s.hidden = pass.tokens * s.dim * pass.narrow;
    s.inner = pass.tokens * s.ffn * pass.narrow;
    s.scores = pass.batch * s.heads * pass.length * pass.length;
    s.projection = s.dim * s.dim;
    s.feed_forward = (model.activation == Activation::swiglu ? 3 : 2) * s.dim * s.ffn;
    return s;
}

// Tensors of the hidden layer's size that the backward pass reads.
double states_kept(Activation activation) {
    switch (activation) {
        case Activation::relu: return 1;
        case Activation::gelu: return 2;
        case Activation::swiglu: return 4;
    }
    return 0;
}

// relu_ffn.cpp: both products and the ReLU in one function, chunk by chunk.
bool one_function(const ModelConfig& model, const PassSizes& pass) {
    return pass.onednn && model.activation == Activation::relu && model.activation_dropout == 0;
}

// What the attention keeps between its inputs' projection and its output's, which the output projection keeps too.
struct AttentionKept {
    double inputs;  // q, k, v
    double output;
    double rest;      // log-sum-exp, probabilities
    double backward;  // beside these and the gradient of the output: gradients of q, k, v, and scores
};

AttentionKept attention_kept(const ModelConfig& model, const PassSizes& pass, const Sizes& s) {
    AttentionKept kept{};
    const bool dropout = model.attention_dropout > 0;
    const double elements = pass.tokens * s.dim;
    kept.output = s.hidden;
    // reference.cpp, and ATen's formula step by step where no kernel of its own serves (CPU: dropout, or a mask that is learnt): copies of q, k, v for
    // the batched products in fp32 (fp64), the probabilities, and after dropout once more with a mask (on a CPU in their type).
    const bool step_by_step = pass.attention == "sdpa" && !pass.cuda && (dropout || pass.table_grad);
    if (pass.attention == "reference" || step_by_step) {
        kept.inputs = 3 * elements * pass.wide;
        kept.rest = s.scores * (dropout ? 2 * pass.wide + (pass.cuda ? 1 : pass.wide) : pass.wide);
        kept.backward = 3 * elements * pass.wide + 2 * s.scores * pass.wide;
        return kept;
    }
    // Three views of one projection; turned queries and keys are tensors of their own beside it.
    kept.inputs = (pass.rotary ? 5 : 3) * s.hidden;
    kept.rest = pass.tokens * s.heads * 4;
    kept.backward = 3 * s.hidden + (pass.attention == "fused" ? pass.workspace : 0);
    if (pass.attention == "sdpa" && pass.table_grad)
        kept.backward += s.scores * pass.narrow;  // the mask's gradient, before its sum over the batch
    return kept;
}

// What the feed-forward layer keeps behind its input: its hidden layer in each state that a derivative needs.
double inner_kept(const ModelConfig& model, const PassSizes& pass, const Sizes& s) {
    double kept = states_kept(model.activation) * s.inner;
    if (model.activation_dropout > 0)
        kept += s.inner + (pass.cuda ? pass.tokens * s.ffn : 0);  // a GPU's dropout keeps its mask, a byte each
    return kept;
}

// Beside all that the layer keeps and the gradient that comes in: gradients of the hidden layer and of the weights behind it.
double inner_backward(const ModelConfig& model, const PassSizes& pass, const Sizes& s) {
    const double matrix = s.dim * s.ffn * pass.wide;
    if (one_function(model, pass)) {
        const auto [threads, share] = row_threads(pass, s.dim * s.ffn);
        constexpr double kRows = RowThreads::kRows;
        // The input's gradient; each thread's sums of both weights' gradients and a product of a chunk; at the end one sum's transpose.
        const double matrices = std::max((share > kRows ? 3 : 2) * threads, 2 * threads + 1);
        return s.stream + matrices * matrix + threads * std::min(kRows, share) * (s.ffn + s.dim) * pass.wide;
    }
    const bool keeps_output =
        model.activation == Activation::relu && model.activation_dropout == 0;  // ReLU's derivative reads its own output
    const double gradients = model.activation == Activation::swiglu ? 2 * s.inner : keeps_output ? 2 * s.inner : s.inner;
    const auto rows = row_threads(pass, s.dim * s.ffn);
    return gradients + (rows.threads > 1 ? rows.matrices() : 1) * matrix;
}

}  // namespace

LayerMemory layer_memory(const ModelConfig& model, const PassSizes& pass, bool gradients_stay) {
    const auto s = sizes_of(model, pass);
    const auto attention = attention_kept(model, pass, s);
    const double statistics = 2 * pass.tokens * pass.wide;  // of one norm
    const double normed =
        s.hidden + (model.norm == NormKind::rmsnorm ? s.stream : 0);                // its output; ATen's RMSNorm on CPU keeps a second one
    const double masks = pass.cuda && model.dropout > 0 ? pass.tokens * s.dim : 0;  // of one dropout, a byte each
    const double before_ffn = s.stream + statistics + normed + attention.inputs + attention.rest;

    LayerMemory memory;
    memory.input = s.stream;
    const double after_attention = s.stream + statistics + normed;  // the residual stream between the sub-layers, and its norm
    memory.kept = before_ffn + attention.output + after_attention + inner_kept(model, pass, s) + 2 * masks;
    if (pass.half) memory.copies = (4 * s.projection + s.feed_forward) * pass.narrow;

    // The gradient of the residual stream is always there; dropout and half precision make a second tensor of it for the sub-layer.
    const double branch = pass.half || model.dropout > 0 ? s.hidden : 0;
    const double at_ffn = memory.kept + memory.copies + s.stream + branch + inner_backward(model, pass, s);

    const double copies_left = pass.half ? 3 * s.projection * pass.narrow : 0;
    const double ffn_gradients = gradients_stay ? s.feed_forward * pass.wide : 0;
    const double out_gradient = gradients_stay ? s.projection * pass.wide : 0;
    const double at_attention =
        before_ffn + masks + attention.output + copies_left + s.stream + s.hidden + attention.backward + ffn_gradients + out_gradient;

    // The projection to q, k, v: their gradient, its input's, the weight's (oneDNN: from transposed operands, transposed back).
    const auto rows = row_threads(pass, 3 * s.projection);
    const double weight = 3 * s.projection * (pass.onednn ? rows.matrices() * pass.wide : pass.half ? pass.wide + pass.narrow : pass.wide);
    const double at_projection = s.stream + statistics + normed + copies_left + s.stream + 3 * s.hidden + s.hidden +
                                 (pass.onednn ? s.stream : 0) + weight + ffn_gradients + out_gradient;
    memory.backward = std::max({at_ffn, at_attention, at_projection});
    return memory;
}

double layer_evaluation(const ModelConfig& model, const PassSizes& pass) {
    const auto s = sizes_of(model, pass);
    const double attention = s.stream + (pass.half ? s.hidden : 0) + 3 * s.hidden + (pass.rotary ? 2 * s.hidden : 0) + s.hidden + s.hidden;
    // The stream between the sub-layers, the norm, the hidden layer before and after its activation, the output.
    const double states = model.activation == Activation::swiglu ? 4 : one_function(model, pass) ? 1 : 2;
    const auto rows = row_threads(pass, s.dim * s.ffn);
    constexpr double kRowsToForget = 256;  // relu_ffn.cpp
    const bool in_chunks = one_function(model, pass) && rows.threads > 1;
    const double inner = in_chunks ? rows.threads * std::min(kRowsToForget, rows.share) * s.ffn * pass.wide : states * s.inner;
    const double ffn = 2 * s.stream + (pass.half ? s.hidden : 0) + inner + s.hidden;
    double scores = 0;
    if (pass.attention == "reference") scores = 2 * s.scores * pass.wide;
    return std::max(attention + scores, ffn);
}

double attention_mask(const ModelConfig& model, const PassSizes& pass) {
    if (pass.attention != "sdpa" || !pass.bias) return 0;
    const double heads = static_cast<double>(model.heads);
    const double square = pass.length * pass.length;
    const double element = pass.cuda ? pass.narrow : pass.wide;
    // A table that is learnt: the mask, its gradient, and what its derivative keeps (distances, the mask of the future).
    return pass.table_grad ? square * (2 * heads * element + 9) : square * heads * element;
}

}  // namespace longbow
