// This file is compiled with OpenMP and without the shared precompiled header, because at::parallel_for runs in
// parallel only in files compiled with OpenMP.
#include "chunked_loss.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_log_softmax.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/full.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "longbow/model/linear.h"
#include "onednn.h"
#include "product_type.h"
#include "row_chunks.h"
#include "softmax_rows.h"
#include "weight_gradient.h"

namespace longbow {

namespace {

// A matrix of at most this many elements counts as small.
constexpr std::int64_t kSmallMatrix = 4 << 20;
// The number of elements of a softmax that are computed at a time on a CPU: few enough that they stay in the cache.
constexpr std::int64_t kCachedNumbers = 1 << 18;

at::ScalarType wide_type(const at::Tensor& weight) {
    return weight.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

// Returns how many rows a softmax takes at a time. On CPU these are few enough that the second copy, which ATen's
// softmax makes, stays in the cache.
std::int64_t softmax_rows_at_a_time(const at::Tensor& logits) {
    return logits.device().is_cpu()
               ? std::max<std::int64_t>(1, kCachedNumbers / std::max<std::int64_t>(1, logits.size(1)))
               : logits.size(0);
}

// Replaces logits [n, words] by d(-log p) / dlogits = p - onehot(target), rounded to their type; target [n, 1]. Returns
// log p(target) [n, 1].
at::Tensor softmax_gradient_(const at::Tensor& logits, const at::Tensor& target, at::ScalarType wide) {
    if (softmax_rows_serves(logits)) {
        return log_likelihood_and_gradient_(logits, target);
    }
    auto log_p = at::empty(target.sizes(), logits.options().dtype(wide));
    const auto step = softmax_rows_at_a_time(logits);
    for (std::int64_t begin = 0; begin < logits.size(0); begin += step) {
        const auto rows = logits.slice(0, begin, begin + step);
        const auto picked = target.slice(0, begin, begin + step);
        auto values = at::_log_softmax(rows.to(wide), -1, false);
        log_p.slice(0, begin, begin + step).copy_(values.gather(1, picked));
        const bool narrower = rows.scalar_type() != wide;
        auto gradient = narrower ? values : rows;
        at::exp_out(gradient, values);
        gradient.scatter_add_(1, picked, at::full({1, 1}, -1.0, values.options()).expand_as(picked));
        if (narrower) {
            rows.copy_(gradient);
        }
    }
    return log_p;
}

// Returns whether the gradients' products go through oneDNN. Its kernels need a copy of a transposed operand and return
// a product instead of adding to a sum. For a small vocabulary that costs little, and they are used where oneDNN serves
// (onednn.h). For a large one, the copy and the product would be the largest tensors of the step, made anew for each
// chunk; ATen's product needs no copy and adds to a sum.
bool serves_onednn(const at::Tensor& dlogits, const at::Tensor& weight) {
    return weight.numel() <= kSmallMatrix && onednn_serves(dlogits, weight);
}

at::Tensor hidden_gradient(const at::Tensor& dlogits, const at::Tensor& weight) {
    return serves_onednn(dlogits, weight) ? gemm(dlogits, weight) : at::mm(dlogits, weight);
}

// Computes sum += dlogits^T part, the gradient of `weight`. `sum` is undefined at first.
void add_weight_gradient(at::Tensor& sum, const at::Tensor& dlogits, const at::Tensor& part, const at::Tensor& weight) {
    const auto type = weight.scalar_type();
    // In half precision the products are half and their sum is fp32.
    if (serves_onednn(dlogits, weight) || part.scalar_type() != type) {
        const auto product = gemm(dlogits.t(), part);
        sum = sum.defined() ? sum.add_(product) : product.to(type);
    } else if (sum.defined()) {
        sum.addmm_(dlogits.t(), part);
    } else {
        sum = at::empty(weight.sizes(), part.options());
        at::mm_out(sum, dlogits.t(), part);
    }
}

// Adds the gradient of the bias, in its type.
void add_bias_gradient(at::Tensor& sum, const at::Tensor& dlogits, at::ScalarType type) {
    row_chunks::add_to(sum, dlogits.sum(0, /*keepdim=*/false, type));
}

struct Gradients {
    at::Tensor hidden, weight, bias;
};

// Returns how many threads take rows of their own. All threads together hold as many logits at a time as one chunk has.
std::int64_t threads_of_chunk(std::int64_t threads, std::int64_t chunk) {
    return std::min(threads, chunk / kFewestRowsOfThread);
}

// Returns the sum of log p(target) and computes the gradients of its negative. Each thread takes its rows through all
// steps. For tensors that serves_onednn() accepts.
double log_likelihood_by_thread(const at::Tensor& hidden, const at::Tensor& weight,
                                const std::optional<at::Tensor>& bias, const at::Tensor& targets, std::int64_t threads,
                                std::int64_t chunk, Gradients& gradients) {
    struct Sums {
        double log_p = 0.0;
        WeightGradient weight;
        at::Tensor bias;
    };
    std::vector<Sums> sums(static_cast<std::size_t>(threads));
    row_chunks::for_each(
        hidden.size(0), threads, chunk, [&](std::int64_t thread, std::int64_t begin, std::int64_t end) {
            auto& sum = sums[static_cast<std::size_t>(thread)];
            const auto part = hidden.slice(0, begin, end);
            const auto dlogits = onednn_linear(part, weight, bias, "none");
            sum.log_p += log_likelihood_and_gradient_(dlogits, targets.slice(0, begin, end).unsqueeze(1))
                             .sum(at::kDouble)
                             .item<double>();
            gradients.hidden.slice(0, begin, end).copy_(onednn_linear(dlogits, weight.t(), std::nullopt, "none"));
            sum.weight.add(dlogits, part);
            if (bias) add_bias_gradient(sum.bias, dlogits, weight.scalar_type());
        });
    Sums all;
    for (const auto& sum : sums) {
        all.log_p += sum.log_p;
        all.weight.add(sum.weight);
        if (sum.bias.defined()) row_chunks::add_to(all.bias, sum.bias);
    }
    gradients.weight = all.weight.value();
    gradients.bias = all.bias;
    return all.log_p;
}

class ChunkedLoss : public torch::autograd::Function<ChunkedLoss> {
public:
    static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& hidden,
                              const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                              const at::Tensor& targets, double scale, std::int64_t chunk, bool hidden_grad,
                              bool weight_grad) {
        const auto wide = wide_type(weight);
        const auto narrow = product_type(hidden);
        const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
        const auto rows = hidden.size(0);
        const auto all_hidden = hidden.to(narrow);
        const auto weight_in = weight.to(narrow);
        const auto bias_in = bias ? std::optional(bias->to(narrow)) : std::nullopt;
        at::Tensor dhidden, dweight, dbias;
        if (hidden_grad) {
            // Half precision would round before the scaling.
            dhidden = at::empty(hidden.sizes(), hidden.options().dtype(wide));
        }
        auto sum = at::zeros({}, hidden.options().dtype(at::kDouble));
        const auto threads = threads_of_chunk(row_chunks::threads_for(rows, weight_in), chunk);
        if (threads > 1 && hidden_grad && weight_grad && serves_onednn(all_hidden, weight_in)) {
            Gradients gradients{dhidden, at::Tensor(), at::Tensor()};
            sum.sub_(
                log_likelihood_by_thread(all_hidden, weight_in, bias_in, targets, threads, chunk / threads, gradients));
            dweight = gradients.weight;
            dbias = gradients.bias;
        } else {
            for (std::int64_t begin = 0; begin < rows; begin += chunk) {
                const auto end = std::min(begin + chunk, rows);
                const auto part = all_hidden.slice(0, begin, end);
                const auto dlogits = gemm(part, weight_in.t());
                if (bias) dlogits.add_(*bias_in);
                sum.sub_(softmax_gradient_(dlogits, targets.slice(0, begin, end).unsqueeze(1), wide).sum(at::kDouble));
                if (hidden_grad) {
                    dhidden.slice(0, begin, end).copy_(hidden_gradient(dlogits, weight_in));
                }
                if (weight_grad) {
                    add_weight_gradient(dweight, dlogits, part, weight);
                }
                if (bias) add_bias_gradient(dbias, dlogits, weight.scalar_type());
            }
        }
        if (weight_grad && !dweight.defined()) {
            dweight = at::zeros_like(weight);
        }
        if (bias && !dbias.defined()) dbias = at::zeros_like(*bias);
        context->saved_data["scale"] = scale;
        context->saved_data["type"] = hidden.scalar_type();
        context->save_for_backward({dhidden, dweight, dbias});
        return sum.mul(scale).to(wide);
    }

    // Only scales the gradients, in place: a copy of the weight's gradient would be the largest tensor of the step. A
    // second backward pass through the same loss is an error of torch, which notices that the saved tensors have
    // changed.
    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                   torch::autograd::variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const auto factor = gradients[0].mul(context->saved_data["scale"].toDouble());
        const auto scaled = [&](at::Tensor gradient) {
            return gradient.defined() ? gradient.mul_(factor.to(gradient.scalar_type())) : gradient;
        };
        auto dhidden = scaled(saved[0]);
        if (dhidden.defined()) {
            dhidden = dhidden.to(context->saved_data["type"].toScalarType());
        }
        return {dhidden, scaled(saved[1]), scaled(saved[2]), {}, {}, {}, {}, {}};
    }
};

// Returns the memory that the gradients of the matrix and of the hidden states take in a chunk before they are in their
// places.
double product_memory(const PassSizes& pass, double tokens, std::int64_t words, std::int64_t dim, double chunk) {
    const auto numbers = words * dim;
    const auto matrix = static_cast<double>(numbers), width = static_cast<double>(dim);
    if (pass.half) return matrix * pass.narrow;
    if (!pass.onednn || numbers > kSmallMatrix) return 0;  // the product itself adds to the sum
    const auto whole_chunk = static_cast<std::int64_t>(chunk);
    const auto threads = threads_of_chunk(
        RowThreads::of(static_cast<std::int64_t>(pass.tokens), numbers, pass.threads).threads, whole_chunk);
    if (threads > 1) {
        // Each thread's rows; one of the matrices is in `kept`.
        const auto rows = RowThreads::sharing(static_cast<std::int64_t>(std::ceil(tokens)), threads);
        return static_cast<double>(rows.matrices(whole_chunk / threads) - 1) * matrix * pass.wide +
               chunk * width * pass.wide;
    }
    // A product and, if the matrix has more rows than columns, its transpose; the first product is the sum itself.
    const auto matrices = (words > dim ? 2 : 1) - (chunk >= tokens ? 1 : 0);
    return matrices * matrix * pass.wide + chunk * (words > dim ? width : static_cast<double>(words)) * pass.wide;
}

}  // namespace

ChunkedLossMemory chunked_loss_memory(const PassSizes& pass, double tokens, std::int64_t words, std::int64_t dim,
                                      std::int64_t chunk) {
    const double numbers = tokens * static_cast<double>(dim) + static_cast<double>(words * dim);
    const double rows = std::min(static_cast<double>(chunk), tokens);
    const double logits = rows * static_cast<double>(words);
    // The softmax in a separate tensor: on a GPU of the whole chunk, on a CPU of as many rows as stay in the cache, in
    // fp32 on a CPU none.
    const bool in_place = !pass.cuda && !pass.half && pass.wide == sizeof(float);
    const double cached = std::min(logits, static_cast<double>(std::max(words, kCachedNumbers)));
    const double softmax = (pass.cuda ? logits : in_place ? 0 : cached) * pass.wide * (pass.half ? 2 : 1);
    ChunkedLossMemory memory;
    memory.kept = numbers * pass.wide;
    memory.weight_gradient = static_cast<double>(words * dim) * pass.wide;
    memory.most = logits * pass.narrow + std::max(softmax, product_memory(pass, tokens, words, dim, rows));
    // Hidden states and matrix in half precision are held through all chunks.
    if (pass.half) memory.most += numbers * pass.narrow;
    return memory;
}

double chunked_nll_memory(const PassSizes& pass, std::int64_t words, std::int64_t dim, std::int64_t chunk) {
    const double logits = std::min(static_cast<double>(chunk), pass.tokens) * static_cast<double>(words);
    // The logits and, except for fp32 on a CPU, their logarithms; in half precision also the matrix's copy, and the
    // logits before they are widened.
    const double wide = (!pass.cuda && pass.wide == sizeof(float) ? 1 : 2) * logits * pass.wide;
    if (!pass.half) return wide;
    const double copies = static_cast<double>(words * dim);
    // Where the product is computed in fp32, of the rounded matrix: that too, and the logits before they are rounded.
    return wide + (logits + copies) * (pass.narrow + (pass.widened ? sizeof(float) : 0));
}

at::Tensor chunked_loss(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& bias,
                        const at::Tensor& targets, double scale, std::int64_t chunk) {
    const bool grad = at::GradMode::is_enabled();
    return ChunkedLoss::apply(hidden, weight, if_defined(bias), targets, scale, chunk, grad && hidden.requires_grad(),
                              grad && weight.requires_grad());
}

at::Tensor chunked_nll(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& bias,
                       const at::Tensor& targets, std::int64_t chunk) {
    const at::NoGradGuard no_grad;
    const auto wide = wide_type(weight);
    const auto narrow = product_type(hidden);
    const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
    const auto product = widens_products(narrow, hidden.device()) ? at::kFloat : narrow;
    const auto weight_t = weight.to(narrow).to(product).t();
    auto out = at::empty({hidden.size(0)}, hidden.options().dtype(wide));
    for (std::int64_t begin = 0; begin < hidden.size(0); begin += chunk) {
        const auto end = std::min(begin + chunk, hidden.size(0));
        const auto logits = gemm(hidden.slice(0, begin, end).to(narrow).to(product), weight_t).to(narrow).to(wide);
        if (bias.defined()) logits.add_(bias);
        const auto target = targets.slice(0, begin, end).unsqueeze(1);
        const auto log_p = softmax_rows_serves(logits) ? log_likelihood(logits, target)
                                                       : at::_log_softmax(logits, -1, false).gather(1, target);
        out.slice(0, begin, end).copy_(log_p.squeeze(1).neg());
    }
    return out;
}

at::Tensor plain_logits(const at::Tensor& hidden, const at::Tensor& weight) {
    const at::NoGradGuard no_grad;
    const auto narrow = product_type(hidden);
    const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
    const auto product = widens_products(narrow, hidden.device()) ? at::kFloat : narrow;
    return gemm(hidden.to(narrow).to(product), weight.to(narrow).to(product).t()).to(narrow);
}

}  // namespace longbow
