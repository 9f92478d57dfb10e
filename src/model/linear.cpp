#include "longbow/model/linear.h"

#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/threshold_backward.h>
#include <torch/csrc/autograd/custom_function.h>

#include <fstream>
#include <optional>

#include "linear_relu.h"
#include "longbow/core/error.h"
#include "longbow/core/strings.h"
#include "onednn.h"

namespace longbow {

namespace {

std::optional<GemmLibrary> chosen_library;

// y = activation(x W^T + b), or residual + x W^T + b; all gradients through oneDNN.
class OnednnLinear : public torch::autograd::Function<OnednnLinear> {
public:
    static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                              const std::optional<at::Tensor>& bias, bool relu, const std::optional<at::Tensor>& residual) {
        const auto rows = x.reshape({-1, x.size(-1)});
        const auto quick = quick_weight(weight, rows.size(0));
        auto y = residual ? onednn_linear_add(rows, quick, bias, residual->reshape({-1, weight.size(0)}).contiguous())
                          : onednn_linear(rows, quick, bias, relu ? "relu" : "none");
        auto shape = x.sizes().vec();
        shape.back() = weight.size(0);
        y = y.view(shape);
        context->saved_data["relu"] = relu;
        context->saved_data["bias"] = bias.has_value();
        context->saved_data["residual"] = residual.has_value();
        context->save_for_backward({x, weight, relu ? y : at::Tensor()});
        return y;
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const auto& x = saved[0];
        const auto& weight = saved[1];
        auto dy = gradients[0];
        if (context->saved_data["relu"].toBool()) {
            dy = at::threshold_backward(dy, saved[2], 0);
        }
        const auto dy_rows = dy.reshape({-1, dy.size(-1)});
        at::Tensor dx, dweight, dbias;
        if (context->needs_input_grad(0)) {
            dx = onednn_linear(dy_rows, weight.t(), std::nullopt, "none").view(x.sizes());
        }
        if (context->needs_input_grad(1)) {
            dweight = onednn_gemm(dy_rows.t(), x.reshape({-1, x.size(-1)}));
        }
        if (context->saved_data["bias"].toBool() && context->needs_input_grad(2)) {
            dbias = dy_rows.sum(0);
        }
        return {dx, dweight, dbias, at::Tensor(), context->saved_data["residual"].toBool() ? gradients[0] : at::Tensor()};
    }
};

std::optional<at::Tensor> if_defined(const at::Tensor& tensor) { return tensor.defined() ? std::optional(tensor) : std::nullopt; }

at::Tensor onednn_forward(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool relu,
                          const at::Tensor& residual = at::Tensor()) {
    return OnednnLinear::apply(x, weight, if_defined(bias), relu, if_defined(residual));
}

bool is_amd() {
    std::ifstream cpuinfo("/proc/cpuinfo");
    for (std::string line; std::getline(cpuinfo, line);) {
        if (starts_with(line, "vendor_id")) {
            return line.find("AuthenticAMD") != std::string::npos;
        }
    }
    return false;
}

}  // namespace

GemmLibrary gemm_library_by_rule() {
    static const bool amd = is_amd();
    return amd ? GemmLibrary::onednn : GemmLibrary::aten;
}

void set_gemm_library(GemmLibrary library) { chosen_library = library; }
GemmLibrary gemm_library() { return chosen_library ? *chosen_library : gemm_library_by_rule(); }

std::string to_string(GemmLibrary library) { return library == GemmLibrary::onednn ? "onednn" : "aten"; }

GemmLibrary gemm_library_from(const std::string& name) {
    if (name == "aten") {
        return GemmLibrary::aten;
    }
    if (name == "onednn") {
        return GemmLibrary::onednn;
    }
    throw ConfigError("unknown GEMM library \"" + name + "\"; known: aten, onednn");
}

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
    if (onednn_serves(x, weight)) {
        return onednn_forward(x, weight, bias, false);
    }
    return bias.defined() ? at::linear(x, weight, bias) : at::linear(x, weight);
}

at::Tensor linear_add(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& residual) {
    if (onednn_serves(x, weight) && residual.scalar_type() == at::kFloat) {
        return onednn_forward(x, weight, bias, false, residual);
    }
    return residual.add(linear(x, weight, bias));
}

at::Tensor linear_relu(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
    if (onednn_serves(x, weight)) {
        return onednn_forward(x, weight, bias, true);
    }
    return at::relu(linear(x, weight, bias));
}

at::Tensor gemm(const at::Tensor& a, const at::Tensor& b) { return onednn_serves(a, b) ? onednn_gemm(a, b) : at::mm(a, b); }

}  // namespace longbow
