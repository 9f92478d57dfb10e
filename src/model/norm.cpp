#include "norm.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/rms_norm.h>

#include "residual_norm.h"

namespace longbow {

Norm::Norm(const ModelConfig& config, const at::TensorOptions& options) : rms_(config.norm == NormKind::rmsnorm), eps_(config.norm_eps) {
    weight_ = register_parameter("weight", at::empty({config.dim}, options));
    if (config.bias && !rms_) {
        bias_ = register_parameter("bias", at::empty({config.dim}, options));
    }
}

at::Tensor Norm::forward(const at::Tensor& x) {
    return rms_ ? at::rms_norm(x, weight_.sizes(), weight_, eps_) : at::layer_norm(x, weight_.sizes(), weight_, bias_, eps_);
}

std::tuple<at::Tensor, at::Tensor> Norm::beside_residual(const at::Tensor& x) {
    if (!rms_ && at::GradMode::is_enabled() && residual_norm_serves(x, weight_)) {
        return residual_norm(x, weight_, bias_, eps_);
    }
    return {forward(x), x};
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
