// Computes causal attention with a distance bias behind one interface. Each back-end is one file of this room that
// registers itself (LONGBOW_REGISTER_ATTENTION) with what it can serve. Only its test and the docs name it besides.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "longbow/config/options.h"
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
    // [batch, kv_heads, Lk, head_dim], Lk >= Lq. Each head of k and v serves heads / kv_heads consecutive heads of q.
    at::Tensor k;
    at::Tensor v;  // of k's shape, or of another head_dim
    // Of k's heads and length, and q's: the scores of keys `far_from` tokens or more before the query are far_q.far_k.
    // Undefined: all are q.k.
    at::Tensor far_q{}, far_k{};
    std::int64_t far_from = 0;
    BiasSpec bias;
    std::optional<double> scale{};        // on q.k; absent: 1 / sqrt(head_dim)
    double dropout = 0.0;                 // on the probabilities; 0 outside training
    AttentionScratch* scratch = nullptr;  // may be null
};

// Lists what a run requires of a back-end, so that it can refuse before any work.
struct AttentionRequest {
    DType dtype = DType::fp32;
    std::string device = "cpu";
    BiasParts bias{};              // of all layers
    bool sums = false;             // whether a layer's bias has both slopes and a table
    bool table_fades = false;      // whether each layer's table does (BiasSpec::table_fades)
    bool bias_needs_grad = false;  // whether a part that all rows of a batch share does
    bool bias_from_data = false;   // whether a layer has parts of its tokens (PositionMethod::parts_from_data())
    bool windowed = false;         // whether BiasSpec::window is used
    bool far = false;              // whether far keys have scores of their own (AttentionInput::far_q)
    bool attends = false;          // whether the position method computes a layer's attention itself
    std::int64_t head_dim = 0;     // of v
    std::int64_t score_dim = 0;    // of q and k; 0: head_dim
    std::int64_t kv_heads = 0;     // 0: as many as heads
    double dropout = 0.0;
    double skip_threshold = -1.0;  // of back-ends that read it: see fused_attention.h
    OptionMap options{};           // the back-end's own; those that are left out have their defaults
};

// Describes one layer of a pass whose memory is computed before it runs.
struct AttentionPass {
    at::ScalarType type = at::kFloat;  // of q, k, v
    std::int64_t batch = 0, heads = 0, length = 0;
    std::int64_t kv_heads = 0;      // 0: as many as heads
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
    [[nodiscard]] const std::string& name() const { return name_; }  // as registered
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
    // Returns "bf16" or "fp16" if the bias that was added last was rounded to this type; empty: it was fp32, or fp64.
    [[nodiscard]] virtual std::string rounded_bias() const { return {}; }

private:
    friend std::unique_ptr<AttentionBackend> make_attention_backend(const std::string& name,
                                                                    const AttentionRequest& request);
    std::string name_;
};

// The members have defaults, so that a back-end writes only those that it needs, under any compiler's warnings.
struct AttentionBackendEntry {
    std::string name{};
    std::string help{};                 // one line: what it is and what it serves
    int preference = 0;                 // of those that can serve, `auto` takes the one with the highest
    std::vector<std::string> reads{};   // shared keys of `attention` that it reads: skip_threshold
    std::vector<OptionSpec> options{};  // keys of its own; make() finds them in request.options
    // Returns why it cannot serve the request, as the end of a sentence, or an empty string if it can. Absent: it
    // serves every request.
    std::function<std::string(const AttentionRequest&)> refuses{};
    // Returns whether `auto` may choose it for a request that it serves. If not, it runs only when named. Absent: it
    // may.
    std::function<bool(const AttentionRequest&)> chosen_by_auto{};
    std::function<std::unique_ptr<AttentionBackend>(const AttentionRequest&)> make{};
};

bool register_attention_backend(AttentionBackendEntry entry);

// Stands at namespace scope in the back-end's .cpp. This room is linked whole, so that no registration is dropped.
#define LONGBOW_REGISTER_ATTENTION(...) \
    static const bool longbow_attention_registered = ::longbow::register_attention_backend(__VA_ARGS__)

// Returns the registered names in the order in which `auto` tries them, without "auto".
std::vector<std::string> attention_backend_names();
// Makes the back-end `name`; "auto" takes the most preferred that serves. Throws ConfigError naming those that can
// serve the request.
std::unique_ptr<AttentionBackend> make_attention_backend(const std::string& name, const AttentionRequest& request);

// Returns the bias as a dense matrix [1 or batch, 1 or heads, Lq, Lk] with -inf above the diagonal and beyond the
// window, for back-ends and tests. It is differentiable in each part. The channel scale and the sink logit, which are
// no terms of a score, are left out.
at::Tensor dense_bias(const BiasSpec& bias, std::int64_t query_length, std::int64_t key_length,
                      const at::TensorOptions& options);

}  // namespace longbow
