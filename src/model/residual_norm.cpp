// This file is compiled with OpenMP and without the shared precompiled header, because at::parallel_for runs in
// parallel only in files compiled with OpenMP.
#include "residual_norm.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/native_layer_norm.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cstdint>
#include <optional>

#include "onednn.h"
#include "product_type.h"
#include "vector_clones.h"

namespace longbow {

namespace {

struct Rows {
    const float *x, *mean, *reciprocal_deviation, *weight;
    const float *dy, *dresidual;  // either may be null
    float* dx;
    std::int64_t dim;
};

// With h = (x - mean) / deviation and g = dy * weight, dx = (g - mean(g) - h * mean(g * h)) / deviation + dresidual.
// The sums of dy * h and dy are added to dweight and dbias.
LONGBOW_VECTOR_CLONES void differentiate(const Rows& rows, std::int64_t begin, std::int64_t end,
                                         float* __restrict dweight, float* __restrict dbias) {
    const std::int64_t dim = rows.dim;
    const float* __restrict weight = rows.weight;
    for (std::int64_t row = begin; row < end; ++row) {
        const float* __restrict x = rows.x + row * dim;
        const float* __restrict dy = rows.dy + row * dim;
        const float* __restrict dresidual = rows.dresidual == nullptr ? nullptr : rows.dresidual + row * dim;
        float* __restrict dx = rows.dx + row * dim;
        const float mean = rows.mean[row];
        const float scale = rows.reciprocal_deviation[row];
        float sum = 0.0F;
        float product = 0.0F;
#pragma omp simd reduction(+ : sum, product)
        for (std::int64_t i = 0; i < dim; ++i) {
            const float normal = (x[i] - mean) * scale;
            const float gradient = dy[i] * weight[i];
            sum += gradient;
            product += gradient * normal;
            dweight[i] += dy[i] * normal;
            dbias[i] += dy[i];
        }
        sum /= static_cast<float>(dim);
        product /= static_cast<float>(dim);
        if (dresidual == nullptr) {
#pragma omp simd
            for (std::int64_t i = 0; i < dim; ++i) {
                dx[i] = (dy[i] * weight[i] - sum - (x[i] - mean) * scale * product) * scale;
            }
        } else {
#pragma omp simd
            for (std::int64_t i = 0; i < dim; ++i) {
                dx[i] = (dy[i] * weight[i] - sum - (x[i] - mean) * scale * product) * scale + dresidual[i];
            }
        }
    }
}

class ResidualNorm : public torch::autograd::Function<ResidualNorm> {
public:
    static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                                                  const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                                                  double eps) {
        auto [y, mean, reciprocal_deviation] = at::native_layer_norm(x, weight.sizes(), weight, bias, eps);
        context->save_for_backward({x, weight, mean, reciprocal_deviation});
        context->saved_data["bias"] = bias.has_value();
        context->set_materialize_grads(false);
        return {y, x};
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                   torch::autograd::variable_list gradients) {
        if (!gradients[0].defined()) {
            return {gradients[1], at::Tensor(), at::Tensor(), at::Tensor()};
        }
        const auto saved = context->get_saved_variables();
        const auto& x = saved[0];
        const auto dy = gradients[0].contiguous();
        const auto dresidual = gradients[1].defined() ? gradients[1].contiguous() : at::Tensor();
        auto dx = at::empty_like(x);
        const auto dim = x.size(-1);
        const auto count = x.numel() / std::max<std::int64_t>(1, dim);
        constexpr std::int64_t kFewestRows = 32;
        const auto threads =
            at::in_parallel_region() ? 1 : std::clamp<std::int64_t>(count / kFewestRows, 1, at::get_num_threads());
        auto sums = at::zeros({threads, 2, dim}, x.options());  // for each thread: of dweight, dbias
        const Rows rows{
            x.const_data_ptr<float>(),        saved[2].const_data_ptr<float>(),
            saved[3].const_data_ptr<float>(), saved[1].const_data_ptr<float>(),
            dy.const_data_ptr<float>(),       dresidual.defined() ? dresidual.const_data_ptr<float>() : nullptr,
            dx.mutable_data_ptr<float>(),     dim};
        float* to = sums.mutable_data_ptr<float>();
        const auto share = (count + threads - 1) / threads;
        at::parallel_for(0, threads, 1, [&](std::int64_t begin, std::int64_t end) {
            for (auto thread = begin; thread < end; ++thread) {
                differentiate(rows, thread * share, std::min((thread + 1) * share, count), to + thread * 2 * dim,
                              to + (thread * 2 + 1) * dim);
            }
        });
        const auto sum = threads == 1 ? sums[0] : sums.sum(0);
        return {dx, sum[0], context->saved_data["bias"].toBool() ? sum[1] : at::Tensor(), at::Tensor()};
    }
};

}  // namespace

bool residual_norm_serves(const at::Tensor& x, const at::Tensor& weight) {
    return x.device().is_cpu() && x.scalar_type() == at::kFloat && weight.scalar_type() == at::kFloat &&
           product_type(x) == at::kFloat && x.is_contiguous();
}

std::tuple<at::Tensor, at::Tensor> residual_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                                                 double eps) {
    const auto out = ResidualNorm::apply(x, weight, if_defined(bias), eps);
    return {out[0], out[1]};
}

}  // namespace longbow
