#include "relu_ffn.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/threshold_backward.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "onednn.h"

namespace longbow {

namespace {

// The backward pass goes in chunks: 512 rows of a hidden layer of 1,024 are 2 MiB, which are still in the cache when the ReLU's mask and the
// next products read them.
constexpr std::int64_t kRows = 512;

void add_to(at::Tensor& sum, const at::Tensor& part) {
    if (sum.defined()) {
        sum.add_(part);
    } else {
        sum = part;
    }
}

class ReluFfn : public torch::autograd::Function<ReluFfn> {
public:
    static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x, const at::Tensor& weight_in,
                              const std::optional<at::Tensor>& bias_in, const at::Tensor& weight_out, const std::optional<at::Tensor>& bias_out) {
        const auto rows = x.reshape({-1, x.size(-1)});
        const auto hidden = onednn_linear(rows, quick_weight(weight_in, rows.size(0)), bias_in, "relu");
        const auto y = onednn_linear(hidden, quick_weight(weight_out, rows.size(0)), bias_out, "none");
        context->save_for_backward({rows, weight_in, weight_out, hidden});
        context->saved_data["shape"] = x.sizes().vec();
        context->saved_data["bias_in"] = bias_in.has_value();
        context->saved_data["bias_out"] = bias_out.has_value();
        return y.view(x.sizes());
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const auto& rows = saved[0];
        const auto& weight_in = saved[1];
        const auto& weight_out = saved[2];
        const auto dy = gradients[0].reshape({rows.size(0), -1}).contiguous();
        auto dx = at::empty_like(rows);
        at::Tensor dweight_in, dbias_in, dweight_out, dbias_out;
        for (std::int64_t begin = 0; begin < rows.size(0); begin += kRows) {
            const auto end = std::min(begin + kRows, rows.size(0));
            const auto hidden = saved[3].slice(0, begin, end);
            const auto dy_part = dy.slice(0, begin, end);
            add_to(dweight_out, onednn_gemm(dy_part.t(), hidden));
            auto dhidden = onednn_linear(dy_part, weight_out.t(), std::nullopt, "none");
            at::threshold_backward_out(dhidden, dhidden, hidden, 0);
            if (context->saved_data["bias_in"].toBool()) {
                add_to(dbias_in, dhidden.sum(0));
            }
            add_to(dweight_in, onednn_gemm(dhidden.t(), rows.slice(0, begin, end)));
            dx.slice(0, begin, end).copy_(onednn_linear(dhidden, weight_in.t(), std::nullopt, "none"));
        }
        if (context->saved_data["bias_out"].toBool()) {
            dbias_out = dy.sum(0);
        }
        return {dx.view(context->saved_data["shape"].toIntVector()), dweight_in, dbias_in, dweight_out, dbias_out};
    }
};

std::optional<at::Tensor> if_defined(const at::Tensor& tensor) { return tensor.defined() ? std::optional(tensor) : std::nullopt; }

}  // namespace

at::Tensor relu_ffn(const at::Tensor& x, const at::Tensor& weight_in, const at::Tensor& bias_in, const at::Tensor& weight_out,
                    const at::Tensor& bias_out) {
    return ReluFfn::apply(x, weight_in, if_defined(bias_in), weight_out, if_defined(bias_out));
}

}  // namespace longbow
