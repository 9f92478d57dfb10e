// x W^T + b on whichever GEMM library is faster here (oneDNN or MKL on CPU, cuBLAS on GPU), forward and backward.
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

// Which library fp32 linears use on CPU, once a run. By rule (AMD: oneDNN, else ATen's MKL), not by a timing at start:
// on a busy machine timings choose differently each time. The trainer stores the choice in the run directory, so that a
// resumed run computes the same bits.
GemmLibrary gemm_library_by_rule();
void set_gemm_library(GemmLibrary library);
GemmLibrary gemm_library();  // what was set last; by rule until then
std::string to_string(GemmLibrary library);
GemmLibrary gemm_library_from(const std::string& name);

// x [..., in], weight [out, in], bias [out] or undefined. Differentiable; follows autocast.
at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

// relu(linear(x, weight, bias)), where oneDNN serves inside the product's epilogue: the pre-activation is never
// written.
at::Tensor linear_relu(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

// residual + linear(x, weight, bias), in one pass where oneDNN serves; residual [..., out]; its type and that of the
// product as + promotes them. p > 0: dropout of the product.
at::Tensor linear_add(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& residual,
                      double p = 0.0);

// a [m, k] x b [k, n] -> [m, n] without autograd, any strides: the building block of the chunked loss.
at::Tensor gemm(const at::Tensor& a, const at::Tensor& b);

}  // namespace longbow
