// Computes causal attention with a distance bias behind one interface. Its back-ends are reference (the oracle for
// tests), sdpa (ATen's) and fused (ours).
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "longbow/core/dtype.h"
#include "longbow/position/position_method.h"

namespace longbow {

// Holds what the layers of one forward pass share if they have the same lengths and bias: the dense bias, which the
// first layer that needs it builds.
struct AttentionScratch {
    at::Tensor dense;
};

// Queries are aligned with the end of the keys: query i of Lq is at key position i + Lk - Lq, and sees the keys up to
// that position.
struct AttentionInput {
    at::Tensor q;  // [batch, heads, Lq, head_dim]
    at::Tensor k;  // [batch, heads, Lk, head_dim], Lk >= Lq
    at::Tensor v;  // of k's shape
    BiasSpec bias;
    double dropout = 0.0;                 // on the probabilities; 0 outside training
    AttentionScratch* scratch = nullptr;  // may be null
};

// Lists what a run requires of a back-end, so that it can refuse before any work.
struct AttentionRequest {
    DType dtype = DType::fp32;
    std::string device = "cpu";
    BiasSpec::Kind bias = BiasSpec::Kind::none;
    bool bias_needs_grad = false;
    std::int64_t head_dim = 0;
    double dropout = 0.0;
    double skip_threshold = -1.0;  // of fused attention with slopes: see fused_attention.h
};

// Describes one layer of a pass whose memory is computed before it runs.
struct AttentionPass {
    at::ScalarType type = at::kFloat;  // of q, k, v
    std::int64_t batch = 0, heads = 0, length = 0;
    std::int64_t table_length = 0;  // of a learned bias table; 0: there is none
    int threads = 1;                // on a CPU
};

// Holds the memory that the layer's attention takes, in bytes of tensors.
struct AttentionMemory {
    // of q, k and v, kept for the backward pass instead of these; 0: q, k and v themselves are kept
    double copies = 0;
    double kept = 0;  // for the backward pass besides q, k, v and the output: log-sum-exp, probabilities
    // gradients of q, k and v, and what the backward pass takes besides them
    double backward = 0;
    double evaluation = 0;  // without gradients, besides q, k, v and the output
    // of all layers together; with a learned table, also the mask's gradient
    double masks = 0;
};

class AttentionBackend {
public:
    virtual ~AttentionBackend() = default;
    [[nodiscard]] virtual std::string name() const = 0;
    // Returns why it cannot serve the request, or an empty string if it can.
    [[nodiscard]] virtual std::string refuses(const AttentionRequest& request) const = 0;
    // Returns whether `auto` may choose it for a request that it serves. If not, it runs only when named.
    [[nodiscard]] virtual bool chosen_by_auto(const AttentionRequest& /*request*/) const { return true; }
    // Is called before the first layer of a pass over `length` tokens, with the options of its queries. It fills in
    // what the layers share and has a gradient. Otherwise forward() would build that among the first layer's
    // activations; layers that are recomputed release theirs one by one, so they need it beforehand.
    virtual void prepare(const BiasSpec& /*bias*/, std::int64_t /*length*/, const at::TensorOptions& /*query*/,
                         AttentionScratch& /*scratch*/) {}
    // Returns [batch, heads, Lq, head_dim] in the dtype of q.
    virtual at::Tensor forward(const AttentionInput& input) = 0;
    // Returns the memory that forward() and its backward pass take in a run that `request` describes. The device need
    // not exist on this machine.
    [[nodiscard]] virtual AttentionMemory memory(const AttentionRequest& request, const AttentionPass& pass) const = 0;
    // Returns whether far blocks may be skipped because their bias makes them negligible.
    [[nodiscard]] virtual bool skips() const { return false; }
    // Starts or ends measuring how many blocks skipping leaves. It costs another pass over q and k, so it is not done
    // for every call.
    virtual void measure_visited(bool /*on*/) {}
    // Returns the mean share of visited blocks (fused_attention.h) over heads and calls since measuring began; nullopt
    // if nothing can be skipped.
    [[nodiscard]] virtual std::optional<double> visited() const { return {}; }
};

std::vector<std::string> attention_backend_names();  // without "auto"
// Makes the back-end `name`; "auto" takes the fastest that serves. Throws ConfigError naming those that can serve the
// request.
std::unique_ptr<AttentionBackend> make_attention_backend(const std::string& name, const AttentionRequest& request);

// Returns the bias as a dense matrix [1 or batch, heads, Lq, Lk] with -inf above the diagonal, for back-ends and tests.
// It is differentiable in a table.
at::Tensor dense_bias(const BiasSpec& bias, std::int64_t query_length, std::int64_t key_length,
                      const at::TensorOptions& options);

}  // namespace longbow
