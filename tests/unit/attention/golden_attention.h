// Attention of a back-end over the inputs of a golden's case.
#pragma once

#include <torch/types.h>

#include <memory>
#include <optional>
#include <string>

#include "longbow/attention/attention_backend.h"
#include "unit/position/golden_case.h"

namespace longbow::test {

struct Inputs {
    at::Tensor q, k, v;
    explicit Inputs(const Case& one) : q(one.input("q")), k(one.input("k")), v(one.input("v")) {}
};

inline std::unique_ptr<AttentionBackend> backend_of(const std::string& name, const Case& one) {
    AttentionRequest request;
    request.dtype = one.type() == at::kDouble ? DType::fp64 : DType::fp32;
    request.head_dim = one.count("head_dim");
    return make_attention_backend(name, request);
}

inline at::Tensor attend(AttentionBackend& backend, const Inputs& in, const BiasSpec& bias,
                         std::optional<double> scale = {}) {
    AttentionInput input;
    input.q = in.q;
    input.k = in.k;
    input.v = in.v;
    input.bias = bias;
    input.scale = scale;
    return backend.forward(input);
}

// Returns a call whose x is the gates' logits, [1, length, dim] with zeros behind them.
inline PositionCall call_with_logits(const Case& one, const at::Tensor& logits) {
    auto call = call_of(logits.size(2));
    const auto dim = one.count("heads") * one.count("head_dim");
    call.x = torch::constant_pad_nd(logits.transpose(1, 2), {0, dim - logits.size(1)});
    return call;
}

// Returns the bias of each query and key, [heads, length, length], with zeros for later keys.
inline at::Tensor matrix(const BiasSpec& bias, std::int64_t length) {
    const auto dense = dense_bias(bias, length, length, at::TensorOptions(at::kDouble))[0];
    return dense.masked_fill(dense.isinf(), 0);
}

}  // namespace longbow::test
