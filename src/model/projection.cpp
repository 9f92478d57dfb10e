#include "projection.h"

#include <ATen/ops/empty.h>

#include "adaptive_embedding.h"
#include "longbow/model/linear.h"

namespace longbow {

Projection::Projection(std::int64_t in, std::int64_t out, FirstWeights init, const at::TensorOptions& options)
    : init_(init) {
    weight_ = register_parameter("weight", at::empty({out, in}, options));
}

at::Tensor Projection::forward(const at::Tensor& x) { return linear(x, weight_, at::Tensor()).to(x.scalar_type()); }

void Projection::reset_parameters() { init_band_matrix(weight_, init_); }

void Projection::list_tensors(const std::string& name, std::vector<NamedTensor>& tensors) const {
    tensors.push_back({name + ".weight", weight_});
}

}  // namespace longbow
