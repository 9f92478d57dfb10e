// This file is compiled with OpenMP and without the shared precompiled header, because at::parallel_for runs in
// parallel only in files compiled with OpenMP.
#include "onednn_layer.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/threshold_backward.h>
#include <torch/csrc/autograd/custom_function.h>

#include <vector>

#include "onednn.h"
#include "row_chunks.h"
#include "weight_gradient.h"

namespace longbow {

namespace {

struct Wanted {
    bool x, weight, bias;
};
struct Gradients {
    at::Tensor x, weight, bias;
};
struct Sums {  // of one thread
    WeightGradient weight;
    at::Tensor bias;
};

// Holds the gradients of a linear layer; dy [rows, out] and x [rows, in] are contiguous.
Gradients differentiate(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight, const Wanted& wanted) {
    const auto rows = x.size(0);
    const auto threads = row_chunks::threads_for(rows, weight);
    std::vector<Sums> sums(static_cast<std::size_t>(threads));
    at::Tensor dx = wanted.x ? at::empty({rows, x.size(1)}, x.options()) : at::Tensor();
    row_chunks::for_each(rows, threads, threads == 1 ? rows : row_chunks::kRows,
                         [&](std::int64_t thread, std::int64_t begin, std::int64_t end) {
                             auto& sum = sums[static_cast<std::size_t>(thread)];
                             const auto dy_part = dy.slice(0, begin, end);
                             const auto x_part = x.slice(0, begin, end);
                             if (wanted.weight) sum.weight.add(dy_part, x_part);
                             if (wanted.bias) row_chunks::add_to(sum.bias, dy_part.sum(0));
                             if (wanted.x) {
                                 const auto part = onednn_linear(dy_part, weight.t(), std::nullopt, "none");
                                 if (end - begin == rows) {
                                     dx = part;
                                 } else {
                                     dx.slice(0, begin, end).copy_(part);
                                 }
                             }
                         });
    Sums all;
    for (const auto& sum : sums) {
        all.weight.add(sum.weight);
        if (sum.bias.defined()) row_chunks::add_to(all.bias, sum.bias);
    }
    return {dx, all.weight.value(), all.bias};
}

class OnednnLayer : public torch::autograd::Function<OnednnLayer> {
public:
    static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                              const std::optional<at::Tensor>& bias, bool relu,
                              const std::optional<at::Tensor>& residual) {
        const auto rows = x.reshape({-1, x.size(-1)});
        const auto quick = weight_in_fast_layout(weight, rows.size(0));
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

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                   torch::autograd::variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const auto& x = saved[0];
        const auto dy =
            context->saved_data["relu"].toBool() ? at::threshold_backward(gradients[0], saved[2], 0) : gradients[0];
        const Wanted wanted{context->needs_input_grad(0), context->needs_input_grad(1),
                            context->saved_data["bias"].toBool() && context->needs_input_grad(2)};
        const auto all = differentiate(dy.reshape({-1, dy.size(-1)}).contiguous(),
                                       x.reshape({-1, x.size(-1)}).contiguous(), saved[1], wanted);
        return {wanted.x ? all.x.view(x.sizes()) : at::Tensor(), all.weight, all.bias, at::Tensor(),
                context->saved_data["residual"].toBool() ? gradients[0] : at::Tensor()};
    }
};

}  // namespace

at::Tensor onednn_layer(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias, bool relu,
                        const std::optional<at::Tensor>& residual) {
    return OnednnLayer::apply(x, weight, bias, relu, residual);
}

}  // namespace longbow
