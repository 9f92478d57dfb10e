#include "norm.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/rms_norm.h>

#include "residual_norm.h"

namespace longbow {

namespace {

bool may_have_bias(NormKind kind) {
    switch (kind) {
        case NormKind::layernorm: return true;
        case NormKind::rmsnorm: return false;
    }
    return false;
}

}  // namespace

Norm::Norm(const ModelConfig& config, const at::TensorOptions& options) : kind_(config.norm), eps_(config.norm_eps) {
    weight_ = register_parameter("weight", at::empty({config.dim}, options));
    if (config.bias && may_have_bias(kind_)) {
        bias_ = register_parameter("bias", at::empty({config.dim}, options));
    }
}

at::Tensor Norm::forward(const at::Tensor& x) {
    switch (kind_) {
        case NormKind::layernorm: return at::layer_norm(x, weight_.sizes(), weight_, bias_, eps_);
        case NormKind::rmsnorm: return at::rms_norm(x, weight_.sizes(), weight_, eps_);
    }
    return {};
}

std::tuple<at::Tensor, at::Tensor> Norm::forward_with_residual(const at::Tensor& x) {
    if (kind_ == NormKind::layernorm && at::GradMode::is_enabled() && residual_norm_serves(x, weight_)) {
        return residual_norm(x, weight_, bias_, eps_);
    }
    return {forward(x), x};
}

NormMemory Norm::memory(const PassSizes& pass) const {
    const double elements = pass.tokens * static_cast<double>(weight_.numel());
    NormMemory memory;
    memory.kept = elements * pass.narrow + 2 * pass.tokens * pass.wide;
    switch (kind_) {
        case NormKind::layernorm: break;
        // ATen's RMSNorm on CPU keeps a second output.
        case NormKind::rmsnorm: memory.kept += elements * pass.wide; break;
    }
    memory.evaluation = elements * pass.wide + (pass.half ? elements * pass.narrow : 0);
    return memory;
}

void Norm::reset_parameters() {
    const at::NoGradGuard no_grad;
    weight_.fill_(1);
    if (bias_.defined()) {
        bias_.zero_();
    }
}

void Norm::list_tensors(const std::string& name, std::vector<NamedTensor>& tensors) const {
    tensors.push_back({name + ".weight", weight_});
    if (bias_.defined()) tensors.push_back({name + ".bias", bias_});
}

}  // namespace longbow
