#include "longbow/model/linear.h"

#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/relu.h>

#include <algorithm>
#include <optional>

#include "dropout.h"
#include "longbow/core/error.h"
#include "longbow/core/machine.h"
#include "longbow/core/strings.h"
#include "onednn.h"
#include "onednn_layer.h"
#include "product_type.h"

namespace longbow {

namespace {

std::optional<GemmLibrary> chosen_library;

// Turns autocast on a CPU off in a scope, for product_type() too.
class WithoutAutocast {
public:
    WithoutAutocast() { at::autocast::set_autocast_enabled(at::kCPU, false); }
    ~WithoutAutocast() { at::autocast::set_autocast_enabled(at::kCPU, before_); }
    WithoutAutocast(const WithoutAutocast&) = delete;
    WithoutAutocast& operator=(const WithoutAutocast&) = delete;

private:
    bool before_ = at::autocast::is_autocast_enabled(at::kCPU);
};

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

bool widens_products(at::ScalarType type, at::Device device) {
    if (!device.is_cpu() || at::GradMode::is_enabled()) return false;
    static const auto features = cpu_info().features;
    const auto has = [](const char* feature) {
        return std::find(features.begin(), features.end(), feature) != features.end();
    };
    if (type == at::kBFloat16) return !has("AVX-512 BF16") && !has("AMX BF16");
    return type == at::kHalf && !has("AVX-512 FP16");
}

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
    if (const auto type = product_type(x); widens_products(type, x.device())) {
        const WithoutAutocast fp32;
        const auto wide = [type](const at::Tensor& t) { return t.defined() ? t.to(type).to(at::kFloat) : t; };
        return linear(wide(x), wide(weight), wide(bias)).to(type);
    }
    if (onednn_serves(x, weight)) {
        return onednn_layer(x, weight, if_defined(bias), false);
    }
    return bias.defined() ? at::linear(x, weight, bias) : at::linear(x, weight);
}

at::Tensor linear_add(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& residual,
                      double p) {
    if (!residual.defined()) return linear(x, weight, bias);
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
