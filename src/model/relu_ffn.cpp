// This file is compiled with OpenMP and without the shared precompiled header, because at::parallel_for runs in
// parallel only in files compiled with OpenMP.
#include "relu_ffn.h"

#include <ATen/ops/add.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <vector>

#include "onednn.h"
#include "row_chunks.h"
#include "vector_clones.h"
#include "weight_gradient.h"

namespace longbow {

namespace {

// If no backward pass will need the hidden layer, its memory is reused for each chunk, and the chunks have this many
// rows.
constexpr std::int64_t kRowsToForget = 256;

// Returns the rows of one hidden tensor: all of them if threads share each product.
std::int64_t chunk_of(std::int64_t rows, std::int64_t threads) { return threads == 1 ? rows : row_chunks::kRows; }

// Clears the gradients whose hidden value the ReLU set to 0, and adds the rest to the bias's gradient, in one pass.
LONGBOW_VECTOR_CLONES void cut(float* __restrict gradient, const float* __restrict hidden, std::int64_t rows,
                               std::int64_t columns, float* __restrict bias_gradient) {
    for (std::int64_t row = 0; row < rows; ++row, gradient += columns, hidden += columns) {
        for (std::int64_t i = 0; i < columns; ++i) {
            gradient[i] = hidden[i] <= 0.0F ? 0.0F : gradient[i];  // NaN is kept
            bias_gradient[i] += gradient[i];
        }
    }
}

class ReluFfn : public torch::autograd::Function<ReluFfn> {
public:
    static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                              const at::Tensor& weight_in, const std::optional<at::Tensor>& bias_in,
                              const at::Tensor& weight_out, const std::optional<at::Tensor>& bias_out,
                              const std::optional<at::Tensor>& residual, bool keep) {
        const auto rows = x.reshape({-1, x.size(-1)});
        const auto quick_in = weight_in_fast_layout(weight_in, rows.size(0));
        const auto quick_out = weight_in_fast_layout(weight_out, rows.size(0));
        const auto base = residual ? residual->reshape(rows.sizes()) : at::Tensor();
        auto y = at::empty_like(rows);
        const auto threads = row_chunks::threads_for(rows.size(0), weight_in);
        std::vector<std::vector<at::Tensor>> hidden(static_cast<std::size_t>(threads));
        const auto chunk = keep || threads == 1 ? chunk_of(rows.size(0), threads) : kRowsToForget;
        row_chunks::for_each(
            rows.size(0), threads, chunk, [&](std::int64_t thread, std::int64_t begin, std::int64_t end) {
                const auto hidden_part = onednn_linear(rows.slice(0, begin, end), quick_in, bias_in, "relu");
                const auto out = onednn_linear(hidden_part, quick_out, bias_out, "none");
                if (keep) hidden[static_cast<std::size_t>(thread)].push_back(hidden_part);
                auto part = y.slice(0, begin, end);
                if (residual) {
                    at::add_out(part, out, base.slice(0, begin, end));
                } else {
                    part.copy_(out);
                }
            });
        torch::autograd::variable_list saved{rows, weight_in, weight_out};
        for (const auto& chunks : hidden) saved.insert(saved.end(), chunks.begin(), chunks.end());
        context->save_for_backward(std::move(saved));
        context->saved_data["shape"] = x.sizes().vec();
        context->saved_data["threads"] = threads;
        context->saved_data["residual"] = residual.has_value();
        context->saved_data["bias_in"] = bias_in.has_value();
        context->saved_data["bias_out"] = bias_out.has_value();
        return y.view(x.sizes());
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                   torch::autograd::variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const auto& rows = saved[0];
        const auto& weight_in = saved[1];
        const auto& weight_out = saved[2];
        const auto dy = gradients[0].reshape({rows.size(0), -1}).contiguous();
        const bool bias_in = context->saved_data["bias_in"].toBool();
        const bool bias_out = context->saved_data["bias_out"].toBool();
        const auto threads = context->saved_data["threads"].toInt();
        const auto share = (rows.size(0) + threads - 1) / threads;
        const auto chunk = chunk_of(rows.size(0), threads);
        const auto chunks = (share + chunk - 1) / chunk;
        struct Sums {
            WeightGradient weight_in, weight_out;
            at::Tensor bias_in, bias_out;
        };
        std::vector<Sums> sums(static_cast<std::size_t>(threads));
        auto dx = at::empty_like(rows);
        row_chunks::for_each(
            rows.size(0), threads, row_chunks::kRows, [&](std::int64_t thread, std::int64_t begin, std::int64_t end) {
                auto& sum = sums[static_cast<std::size_t>(thread)];
                const auto from = begin - thread * share;
                const auto hidden = saved[static_cast<std::size_t>(3 + thread * chunks + from / chunk)].slice(
                    0, from % chunk, from % chunk + end - begin);
                const auto dy_part = dy.slice(0, begin, end);
                sum.weight_out.add(dy_part, hidden);
                if (bias_out) row_chunks::add_to(sum.bias_out, dy_part.sum(0));
                const auto dhidden = onednn_linear(dy_part, weight_out.t(), std::nullopt, "none");
                if (!sum.bias_in.defined()) sum.bias_in = at::zeros({dhidden.size(1)}, dhidden.options());
                cut(dhidden.mutable_data_ptr<float>(), hidden.const_data_ptr<float>(), dhidden.size(0), dhidden.size(1),
                    sum.bias_in.mutable_data_ptr<float>());
                sum.weight_in.add(dhidden, rows.slice(0, begin, end));
                dx.slice(0, begin, end).copy_(onednn_linear(dhidden, weight_in.t(), std::nullopt, "none"));
            });
        Sums all;
        for (const auto& sum : sums) {
            all.weight_in.add(sum.weight_in);
            all.weight_out.add(sum.weight_out);
            if (bias_in && sum.bias_in.defined()) row_chunks::add_to(all.bias_in, sum.bias_in);
            if (sum.bias_out.defined()) row_chunks::add_to(all.bias_out, sum.bias_out);
        }
        return {dx.view(context->saved_data["shape"].toIntVector()),
                all.weight_in.value(),
                all.bias_in,
                all.weight_out.value(),
                all.bias_out,
                context->saved_data["residual"].toBool() ? gradients[0] : at::Tensor(),
                at::Tensor()};
    }
};

}  // namespace

ReluFfnMemory relu_ffn_memory(const PassSizes& pass, std::int64_t dim, std::int64_t ffn_dim) {
    const auto [threads, share] = RowThreads::of(static_cast<std::int64_t>(pass.tokens), dim * ffn_dim, pass.threads);
    constexpr auto kRows = row_chunks::kRows;
    // Each thread's sums of both weights' gradients and the product of a chunk; at the end the transpose of one sum.
    const auto matrices = std::max((share > kRows ? 3 : 2) * threads, 2 * threads + 1);
    const auto of_chunks = threads * std::min(kRows, share) * (ffn_dim + dim);
    const auto forgotten =
        threads > 1 ? threads * std::min(kRowsToForget, share) : static_cast<std::int64_t>(pass.tokens);
    ReluFfnMemory memory;
    memory.backward = pass.tokens * static_cast<double>(dim) * pass.wide;  // the input's gradient
    memory.backward += static_cast<double>(matrices * dim * ffn_dim + of_chunks) * pass.wide;
    memory.evaluation = static_cast<double>(forgotten * ffn_dim) * pass.wide;
    return memory;
}

at::Tensor relu_ffn(const at::Tensor& x, const at::Tensor& weight_in, const at::Tensor& bias_in,
                    const at::Tensor& weight_out, const at::Tensor& bias_out, const at::Tensor& residual) {
    return ReluFfn::apply(x, weight_in, if_defined(bias_in), weight_out, if_defined(bias_out), if_defined(residual),
                          at::GradMode::is_enabled());
}

}  // namespace longbow
