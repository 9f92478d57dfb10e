// Causal attention with a distance bias, behind one interface: reference (the oracle), sdpa (ATen), fused (ours).
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "longbow/core/dtype.h"
#include "longbow/position/position_method.h"

namespace longbow {

// What the layers of one forward pass share (same lengths, same bias): the dense bias, built by the first layer that
// needs it.
struct AttentionScratch {
    at::Tensor dense;
};

// Queries are aligned with the end of the keys: query i of Lq stands at key position i + Lk - Lq, and sees the keys up
// to there.
struct AttentionInput {
    at::Tensor q;  // [batch, heads, Lq, head_dim]
    at::Tensor k;  // [batch, heads, Lk, head_dim], Lk >= Lq
    at::Tensor v;  // as k
    BiasSpec bias;
    double dropout = 0.0;                 // on the probabilities; 0 outside training
    AttentionScratch* scratch = nullptr;  // may be absent
};

// What is asked of a back-end over a whole run, so that it can refuse before any work.
struct AttentionRequest {
    DType dtype = DType::fp32;
    std::string device = "cpu";
    BiasSpec::Kind bias = BiasSpec::Kind::none;
    bool bias_needs_grad = false;
    std::int64_t head_dim = 0;
    double dropout = 0.0;
    double skip_threshold = -1.0;  // fused with slopes: see fused_attention.h
};

// One layer of a pass whose memory is counted before it is run.
struct AttentionPass {
    at::ScalarType type = at::kFloat;  // of q, k, v
    std::int64_t batch = 0, heads = 0, length = 0;
    std::int64_t table_length = 0;  // of a bias table that is learnt; 0: there is none
    int threads = 1;                // on a CPU
};

// What that layer's attention takes, in bytes of tensors.
struct AttentionMemory {
    double copies = 0;      // of q, k and v, which the backward pass keeps in their place; 0: it keeps them as they are
    double kept = 0;        // for the backward pass beside them and the output: log-sum-exp, probabilities
    double backward = 0;    // the gradients of q, k and v, and what the backward pass takes beside them
    double evaluation = 0;  // without gradients, beside q, k, v and the output
    double masks = 0;       // that all layers share, and if a table is learnt the mask's gradient
};

class AttentionBackend {
public:
    virtual ~AttentionBackend() = default;
    [[nodiscard]] virtual std::string name() const = 0;
    // Why it cannot serve the request; empty when it can.
    [[nodiscard]] virtual std::string refuses(const AttentionRequest& request) const = 0;
    // Fills in, before the first layer of a pass over `length` tokens with queries of these options, what the layers
    // share and has a gradient. forward() would make it with the first layer's activations: recomputed layers, which
    // come and go one by one, need it beforehand.
    virtual void prepare(const BiasSpec& /*bias*/, std::int64_t /*length*/, const at::TensorOptions& /*query*/,
                         AttentionScratch& /*scratch*/) {}
    // -> [batch, heads, Lq, head_dim], dtype of q.
    virtual at::Tensor forward(const AttentionInput& input) = 0;
    // What forward() and its backward pass take in a run that `request` describes. The device need not be there.
    [[nodiscard]] virtual AttentionMemory memory(const AttentionRequest& request, const AttentionPass& pass) const = 0;
    // Whether far blocks may be left out (their bias makes them negligible).
    [[nodiscard]] virtual bool skips() const { return false; }
    // Starts (or ends) measuring what skipping leaves of the work; it costs another look at q and k, so not on every
    // call.
    virtual void measure_visited(bool /*on*/) {}
    // Mean share of visited blocks (fused_attention.h) over heads and calls since measuring began; none where nothing
    // can be skipped.
    [[nodiscard]] virtual std::optional<double> visited() const { return {}; }
};

std::vector<std::string> attention_backend_names();  // without "auto"
// `name` or "auto" (picks the fastest that serves). Throws ConfigError naming those that can.
std::unique_ptr<AttentionBackend> make_attention_backend(const std::string& name, const AttentionRequest& request);

// The dense bias [1 or batch, heads, Lq, Lk] with -inf above the diagonal, for back-ends and tests; differentiable in a
// table.
at::Tensor dense_bias(const BiasSpec& bias, std::int64_t query_length, std::int64_t key_length,
                      const at::TensorOptions& options);

}  // namespace longbow
