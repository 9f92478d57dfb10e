#include "norm.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/rms_norm.h>

#include "onednn.h"
#include "residual_norm.h"

namespace longbow {

namespace {

bool may_have_bias(NormKind kind) {
    switch (kind) {
        case NormKind::layernorm: return true;
        case NormKind::rmsnorm:
        case NormKind::rmsnorm_1p: return false;
    }
    return false;
}

double first_weight(NormKind kind) {
    switch (kind) {
        case NormKind::layernorm:
        case NormKind::rmsnorm: return 1;
        case NormKind::rmsnorm_1p: return 0;
    }
    return 1;
}

}  // namespace

Norm::Norm(const ModelConfig& config, const at::TensorOptions& options, std::int64_t width)
    : kind_(config.norm), eps_(config.norm_eps), width_(width > 0 ? width : config.dim) {
    if (!config.norm_weights) return;
    weight_ = register_parameter("weight", at::empty({width_}, options));
    if (config.has_bias(config.norm_bias) && may_have_bias(kind_)) {
        bias_ = register_parameter("bias", at::empty({width_}, options));
    }
}

at::Tensor Norm::forward(const at::Tensor& x) {
    switch (kind_) {
        case NormKind::layernorm: return at::layer_norm(x, {width_}, weight_, bias_, eps_);
        case NormKind::rmsnorm: return at::rms_norm(x, {width_}, if_defined(weight_), eps_);
        case NormKind::rmsnorm_1p:
            return at::rms_norm(x, {width_}, if_defined(weight_.defined() ? weight_.add(1) : weight_), eps_);
    }
    return {};
}

std::tuple<at::Tensor, at::Tensor> Norm::forward_with_residual(const at::Tensor& x) {
    if (kind_ == NormKind::layernorm && weight_.defined() && at::GradMode::is_enabled() &&
        residual_norm_serves(x, weight_)) {
        return residual_norm(x, weight_, bias_, eps_);
    }
    return {forward(x), x};
}

NormMemory Norm::memory(const PassSizes& pass) const {
    const double elements = pass.tokens * static_cast<double>(width_);
    NormMemory memory;
    memory.kept = elements * pass.narrow + 2 * pass.tokens * pass.wide;
    switch (kind_) {
        case NormKind::layernorm: break;
        // ATen's RMSNorm on CPU keeps its output before the weights, too.
        case NormKind::rmsnorm:
        case NormKind::rmsnorm_1p: memory.kept += weight_.defined() ? elements * pass.wide : 0; break;
    }
    memory.evaluation = elements * pass.wide + (pass.half ? elements * pass.narrow : 0);
    return memory;
}

void Norm::reset_parameters() {
    const at::NoGradGuard no_grad;
    if (weight_.defined()) reset_norm_weight(weight_, kind_);
    if (bias_.defined()) {
        bias_.zero_();
    }
}

void Norm::list_tensors(const std::string& name, std::vector<NamedTensor>& tensors) const {
    if (weight_.defined()) tensors.push_back({name + ".weight", weight_});
    if (bias_.defined()) tensors.push_back({name + ".bias", bias_});
}

void reset_norm_weight(const at::Tensor& weight, NormKind kind) {
    const at::NoGradGuard no_grad;
    weight.fill_(first_weight(kind));
}

at::Tensor norm_of_queries_or_keys(const at::Tensor& x, const at::Tensor& weight, NormKind kind, double eps) {
    const auto wide = x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    const auto factors = weight.defined() && kind == NormKind::rmsnorm_1p ? weight.add(1) : weight;
    return at::rms_norm(x.to(wide), {x.size(-1)}, if_defined(factors), eps).to(x.scalar_type());
}

}  // namespace longbow
