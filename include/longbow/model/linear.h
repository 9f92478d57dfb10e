// Computes linear layers, x W^T + b, on whichever GEMM library is faster (oneDNN or MKL on CPU, cuBLAS on GPU), forward
// and backward.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "longbow/core/choice.h"

namespace longbow {

enum class GemmLibrary { aten, onednn };
template <>
struct ChoiceTable<GemmLibrary> {
    static constexpr Choice<GemmLibrary> values[] = {{GemmLibrary::aten, "aten", "MKL"},
                                                     {GemmLibrary::onednn, "onednn", "oneDNN"}};
};

// Says which library computes fp32 linear layers on CPU, fixed for a run. It is chosen by rule (AMD: oneDNN, else
// ATen's MKL) and not by a timing at start, since timings on a busy machine choose differently each time. The trainer
// stores the choice in the run directory, so that a resumed run computes the same bits.
GemmLibrary gemm_library_by_rule();
void set_gemm_library(GemmLibrary library);
GemmLibrary gemm_library();  // what was set last; until then, by rule
std::string to_string(GemmLibrary library);
GemmLibrary gemm_library_from(const std::string& name);

// Says whether products of this type are computed in fp32, of factors that are rounded to it and into a result that is
// rounded to it: where there is no gradient, on a CPU without instructions for the type. There oneDNN's own products of
// the type take several times as long.
bool widens_products(at::ScalarType type, at::Device device);

// Returns x W^T + b, [..., out], of x [..., in], weight [out, in] and bias [out] or undefined. The result is
// differentiable and follows autocast.
at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

// Returns relu(linear(x, weight, bias)). Where oneDNN serves, ReLU is part of the product's epilogue, and the
// pre-activation is never written.
at::Tensor linear_relu(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

// Returns residual + linear(x, weight, bias), in one pass where oneDNN serves. residual is [..., out]; the result has
// the type to which + promotes residual and product. p > 0 applies dropout to the product. An undefined residual stands
// for linear(x, weight, bias), without dropout.
at::Tensor linear_add(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& residual,
                      double p = 0.0);

// Returns the product [m, n] of a [m, k] and b [k, n], of any strides, without autograd. The chunked loss is built on
// it.
at::Tensor gemm(const at::Tensor& a, const at::Tensor& b);

}  // namespace longbow
