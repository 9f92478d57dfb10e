#include "longbow/model/linear.h"

#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/relu.h>

#include <optional>

#include "dropout.h"
#include "longbow/core/error.h"
#include "longbow/core/machine.h"
#include "longbow/core/strings.h"
#include "onednn.h"
#include "onednn_layer.h"

namespace longbow {

namespace {

std::optional<GemmLibrary> chosen_library;

}  // namespace

GemmLibrary gemm_library_by_rule() {
    static const bool amd = cpu_info().vendor == "AuthenticAMD";
    return amd ? GemmLibrary::onednn : GemmLibrary::aten;
}

void set_gemm_library(GemmLibrary library) { chosen_library = library; }
GemmLibrary gemm_library() { return chosen_library ? *chosen_library : gemm_library_by_rule(); }

std::string to_string(GemmLibrary library) { return std::string(name_of(library)); }

GemmLibrary gemm_library_from(const std::string& name) {
    if (const auto library = choice_named<GemmLibrary>(name)) return *library;
    throw ConfigError("unknown GEMM library \"" + name + "\"; known: " + join(choice_names<GemmLibrary>(), ", "));
}

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
    if (onednn_serves(x, weight)) {
        return onednn_layer(x, weight, if_defined(bias), false);
    }
    return bias.defined() ? at::linear(x, weight, bias) : at::linear(x, weight);
}

at::Tensor linear_add(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& residual,
                      double p) {
    if (p > 0.0) return add_dropout(residual, linear(x, weight, bias), p);
    if (onednn_serves(x, weight) && residual.scalar_type() == at::kFloat) {
        return onednn_layer(x, weight, if_defined(bias), false, residual);
    }
    return residual.add(linear(x, weight, bias));
}

at::Tensor linear_relu(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
    if (onednn_serves(x, weight)) {
        return onednn_layer(x, weight, if_defined(bias), true);
    }
    return at::relu(linear(x, weight, bias));
}

at::Tensor gemm(const at::Tensor& a, const at::Tensor& b) {
    return onednn_serves(a, b) ? onednn_gemm(a, b) : at::mm(a, b);
}

}  // namespace longbow
