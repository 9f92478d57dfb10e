// Computes the bias as a matrix, including the causal mask.
#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/zeros.h>

#include <limits>

#include "longbow/attention/attention_backend.h"

namespace longbow {

at::Tensor dense_bias(const BiasSpec& bias, std::int64_t query_length, std::int64_t key_length,
                      const at::TensorOptions& options) {
    const auto index = options.dtype(at::kLong).requires_grad(false);
    const auto query = at::arange(key_length - query_length, key_length, index).unsqueeze(1);
    const auto distance = query.sub(at::arange(key_length, index));  // [Lq, Lk], negative for keys in the future
    // A narrow type holds neither every distance nor every slope, so that the bias is rounded once and not its factors.
    const auto wide = c10::typeMetaToScalarType(options.dtype()) == at::kDouble ? at::kDouble : at::kFloat;
    at::Tensor dense;
    switch (bias.kind) {
        case BiasSpec::Kind::none: dense = at::zeros({1, query_length, key_length}, options); break;
        case BiasSpec::Kind::slopes:
            // The bias is computed as -slope * (i - j) and never as slope * j, so that the products stay exact near the
            // diagonal at any length.
            dense = bias.slopes.to(wide).neg().view({-1, 1, 1}).mul(distance.to(wide)).to(options.dtype());
            break;
        case BiasSpec::Kind::table:
            // embedding() is used instead of index() because its backward pass is deterministic, and fast where many
            // pairs share an entry.
            dense = at::embedding(bias.table.t(), distance.clamp(0, bias.table.size(1) - 1))
                        .permute({2, 0, 1})
                        .to(options.dtype());
            break;
    }
    return dense.masked_fill(distance.lt(0), -std::numeric_limits<double>::infinity()).unsqueeze(0);
}

}  // namespace longbow
