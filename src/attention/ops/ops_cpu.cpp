// The operators on CPU. This file is compiled with OpenMP and without the shared precompiled header: at::parallel_for is a template that
// runs in parallel only where its caller was compiled so.
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <torch/library.h>

#include <cmath>

#include "attention/kernels/cpu/attention_cpu.h"
#include "attention/kernels/skip_table.h"
#include "attention/ops/call.h"
#include "longbow/attention/fused_attention.h"

namespace longbow {

namespace {

using OptionalTensor = std::optional<at::Tensor>;

void run_tasks(void* /*context*/, std::int32_t tasks, void (*task)(void*, std::int32_t), void* data) {
    at::parallel_for(0, tasks, 1, [&](std::int64_t begin, std::int64_t end) {
        for (auto i = begin; i < end; ++i) {
            task(data, static_cast<std::int32_t>(i));
        }
    });
}

const longbow_parallel kParallel{nullptr, &run_tasks};

std::int32_t threads_here() { return at::in_parallel_region() ? 1 : at::get_num_threads(); }

at::Tensor bytes(std::int64_t count) { return at::empty({count}, at::kByte); }

// [batch, heads, blocks of queries], or empty where nothing can be skipped.
at::Tensor skip_table(const longbow_attention& a, double threshold) {
    if (!longbow_skip_table_helps(&a, static_cast<float>(threshold))) {
        return at::empty({0}, at::kInt);
    }
    constexpr std::int64_t kBlock = 64;
    auto table = at::empty({a.batch, a.heads, (a.query_length + kBlock - 1) / kBlock}, at::kInt);
    auto* first = table.mutable_data_ptr<std::int32_t>();
    at::parallel_for(0, std::int64_t{a.batch} * a.heads, 1, [&](std::int64_t begin, std::int64_t end) {
        longbow_skip_table(&a, static_cast<float>(threshold), first, static_cast<std::int32_t>(begin), static_cast<std::int32_t>(end));
    });
    return table;
}

const std::int32_t* table_or_null(const at::Tensor& table) { return table.numel() == 0 ? nullptr : table.const_data_ptr<std::int32_t>(); }

std::tuple<at::Tensor, at::Tensor, at::Tensor> forward(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                                       const OptionalTensor& slopes, const OptionalTensor& table,
                                                       const OptionalTensor& lengths, bool causal, std::int64_t window, double dropout,
                                                       std::int64_t seed, std::int64_t offset, double scale, double skip_threshold) {
    AttentionCall call{q, k, v, slopes, table, lengths, causal, window, dropout, seed, offset, scale};
    check_call(call);
    const double threshold = checked_skip_threshold(skip_threshold);
    auto a = boundary_of(call);
    auto out = empty_merged(q);
    auto lse = at::empty({q.size(0), q.size(1), q.size(2)}, q.options().dtype(at::kFloat));
    const auto first_key_block = skip_table(a, threshold);
    if (q.numel() > 0) {
        a.out = rows_of_tensor(out);
        a.lse = lse.mutable_data_ptr<float>();
        a.first_key_block = table_or_null(first_key_block);
        a.threads = threads_here();
        const auto workspace = bytes(longbow_attention_cpu_forward_workspace(&a));
        a.workspace = workspace.data_ptr();
        TORCH_CHECK(longbow_attention_cpu_forward(&a, &kParallel) == LONGBOW_OK, "fused_attention: no CPU kernel for q ", q.sizes());
    }
    return {out, lse, first_key_block};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor> backward(
    const at::Tensor& grad, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& out, const at::Tensor& lse,
    const at::Tensor& first_key_block, const OptionalTensor& slopes, const OptionalTensor& table, const OptionalTensor& lengths,
    bool causal, std::int64_t window, double dropout, std::int64_t seed, std::int64_t offset, double scale, bool slopes_grad,
    bool table_grad) {
    AttentionCall call{q, k, v, slopes, table, lengths, causal, window, dropout, seed, offset, scale};
    check_call(call);
    TORCH_CHECK_VALUE(grad.sizes() == q.sizes() && out.sizes() == q.sizes(), "fused_attention_backward: grad ", grad.sizes(), " and out ",
                      out.sizes(), " must be as q ", q.sizes());
    auto a = boundary_of(call);
    const auto [dq, dk, dv] = empty_gradients(call);
    const auto floats = q.options().dtype(at::kFloat);
    auto dslopes = at::empty(slopes_grad ? at::IntArrayRef{q.size(0), q.size(1)} : at::IntArrayRef{0}, floats);
    auto dtable = at::empty(table_grad ? table->sizes() : at::IntArrayRef{0}, floats);
    const auto dout = with_dense_rows(grad.to(q.scalar_type()));
    const auto dense_out = with_dense_rows(out);
    a.out = rows_of_tensor(dense_out);
    a.lse = lse.contiguous().data_ptr<float>();
    a.first_key_block = table_or_null(first_key_block);
    a.dout = rows_of_tensor(dout);
    a.dq = rows_of_tensor(dq);
    a.dk = rows_of_tensor(dk);
    a.dv = rows_of_tensor(dv);
    a.dslopes = slopes_grad ? dslopes.mutable_data_ptr<float>() : nullptr;
    a.dtable = table_grad ? dtable.mutable_data_ptr<float>() : nullptr;
    a.threads = threads_here();
    const auto workspace = bytes(longbow_attention_cpu_backward_workspace(&a));
    a.workspace = workspace.data_ptr();
    TORCH_CHECK(longbow_attention_cpu_backward(&a, &kParallel) == LONGBOW_OK, "fused_attention: no CPU kernel for q ", q.sizes());
    return {dq, dk, dv, dslopes, dtable};
}

at::Tensor visited(const at::Tensor& q, const at::Tensor& k, const OptionalTensor& slopes, bool causal, std::int64_t window,
                   std::optional<double> scale, double skip_threshold) {
    const double factor = scale.value_or(1.0 / std::sqrt(static_cast<double>(q.size(-1))));
    AttentionCall call{q, k, k, slopes, {}, {}, causal, window, 0.0, 0, 0, factor};
    check_call(call);
    auto a = boundary_of(call);
    const auto table = skip_table(a, checked_skip_threshold(skip_threshold));
    a.first_key_block = table_or_null(table);
    auto fraction = at::ones({q.size(0), q.size(1)}, q.options().dtype(at::kFloat));
    if (a.first_key_block != nullptr) {
        longbow_attention_cpu_visited(&a, fraction.mutable_data_ptr<float>());
    }
    return fraction;
}

TORCH_LIBRARY_IMPL(longbow, CPU, m) {
    m.impl("fused_attention_forward", &forward);
    m.impl("fused_attention_backward", &backward);
    m.impl("visited_fraction", &visited);
}

}  // namespace

double fused_attention_peak(at::ScalarType type, int threads) { return threads * longbow_attention_cpu_peak(dtype_of(type)); }

std::string fused_attention_instructions() { return longbow_attention_cpu_instructions(); }

}  // namespace longbow
