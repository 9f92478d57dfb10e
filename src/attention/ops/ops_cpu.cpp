// The operators on CPU. This file is compiled with OpenMP and without the shared precompiled header: at::parallel_for is a template that
// runs in parallel only where its caller was compiled so.
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <torch/library.h>

#include "attention/kernels/cpu/attention_cpu.h"
#include "attention/kernels/skip_table.h"
#include "attention/ops/call.h"
#include "attention/ops/device.h"
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

void skip_table(longbow_attention& a, float threshold, std::int32_t* first, float* longest, const at::Tensor& /*like*/) {
    at::parallel_for(0, std::int64_t{a.batch} * a.heads, 1, [&](std::int64_t begin, std::int64_t end) {
        longbow_skip_table(&a, threshold, first, longest, static_cast<std::int32_t>(begin), static_cast<std::int32_t>(end));
    });
}

using WorkspaceSize = std::int64_t (*)(const longbow_attention*);
using Kernel = longbow_status (*)(const longbow_attention*, const longbow_parallel*);

void run_kernel(longbow_attention& a, const at::Tensor& like, WorkspaceSize size, Kernel kernel) {
    a.threads = threads_here();
    const auto workspace = at::empty({size(&a)}, at::kByte);
    a.workspace = workspace.data_ptr();
    TORCH_CHECK(kernel(&a, &kParallel) == LONGBOW_OK, "fused_attention: no CPU kernel for q ", like.sizes());
}

constexpr AttentionDevice kCpu{
    .boundary = &boundary_of,
    .readable = &with_dense_rows,
    .rows = &rows_of_tensor,
    .skip_table = &skip_table,
    .narrows = true,
    .forward =
        [](longbow_attention& a, const at::Tensor& like) {
            run_kernel(a, like, &longbow_attention_cpu_forward_workspace, &longbow_attention_cpu_forward);
        },
    .backward =
        [](longbow_attention& a, const at::Tensor& like) {
            run_kernel(a, like, &longbow_attention_cpu_backward_workspace, &longbow_attention_cpu_backward);
        },
};

std::tuple<at::Tensor, at::Tensor, at::Tensor> forward(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                                       const OptionalTensor& slopes, const OptionalTensor& table,
                                                       const OptionalTensor& lengths, bool causal, std::int64_t window, double dropout,
                                                       std::int64_t seed, std::int64_t offset, double scale, double skip_threshold) {
    return forward_on(kCpu, {q, k, v, slopes, table, lengths, causal, window, dropout, seed, offset, scale}, skip_threshold);
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor> backward(
    const at::Tensor& grad, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& out, const at::Tensor& lse,
    const at::Tensor& first_key_block, const OptionalTensor& slopes, const OptionalTensor& table, const OptionalTensor& lengths,
    bool causal, std::int64_t window, double dropout, std::int64_t seed, std::int64_t offset, double scale, bool slopes_grad,
    bool table_grad) {
    return backward_on(kCpu, {q, k, v, slopes, table, lengths, causal, window, dropout, seed, offset, scale}, grad, out, lse,
                       first_key_block, slopes_grad, table_grad);
}

// A forward pass finds them out: which blocks it visits is no matter of the values.
at::Tensor visited(const at::Tensor& q, const at::Tensor& k, const OptionalTensor& slopes, bool causal, std::int64_t window,
                   std::optional<double> scale, double skip_threshold) {
    const AttentionCall call{q, k, k, slopes, {}, {}, causal, window, 0.0, 0, 0, scale_or_default(scale, q)};
    return visited_share(call, std::get<2>(forward_on(kCpu, call, skip_threshold)));
}

TORCH_LIBRARY_IMPL(longbow, CPU, m) {
    m.impl("fused_attention_forward", &forward);
    m.impl("fused_attention_backward", &backward);
    m.impl("visited_fraction", &visited);
}

}  // namespace

std::int64_t fused_attention_workspace(at::ScalarType type, std::int64_t batch, std::int64_t heads, std::int64_t length,
                                       std::int64_t head_dim, std::int64_t table_length, int threads) {
    longbow_attention a{};
    a.batch = static_cast<std::int32_t>(batch);
    a.heads = static_cast<std::int32_t>(heads);
    a.query_length = a.key_length = static_cast<std::int32_t>(length);
    a.head_dim = static_cast<std::int32_t>(head_dim);
    a.dtype = dtype_of(type);
    a.causal = 1;
    a.dropout_keep = 256;
    a.threads = threads;
    float wanted = 0.0F;  // its address says that a table's gradient is asked for; nothing is written
    if (table_length > 0) {
        a.table = a.dtable = &wanted;
        a.table_length = static_cast<std::int32_t>(table_length);
    }
    return longbow_attention_cpu_backward_workspace(&a);
}

double fused_attention_peak(at::ScalarType type, int threads) { return threads * longbow_attention_cpu_peak(dtype_of(type)); }

std::string fused_attention_instructions() { return longbow_attention_cpu_instructions(); }

}  // namespace longbow
