// Implements the operators on CPU. This file is compiled with OpenMP and without the shared precompiled header, because
// at::parallel_for is a template that runs in parallel only in files compiled with OpenMP.
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <torch/library.h>

#include "attention/kernels/cpu/attention_cpu.h"
#include "attention/ops/call.h"
#include "attention/ops/device.h"
#include "longbow/attention/fused_attention.h"

namespace longbow {

namespace {

void run_tasks(void* /*context*/, std::int32_t tasks, void (*task)(void*, std::int32_t), void* data) {
    at::parallel_for(0, tasks, 1, [&](std::int64_t begin, std::int64_t end) {
        for (auto i = begin; i < end; ++i) {
            task(data, static_cast<std::int32_t>(i));
        }
    });
}

constexpr longbow_parallel kParallel{nullptr, &run_tasks};

longbow_attention boundary_on_cpu(FusedAttentionCall& call) {
    auto a = boundary_of(call);
    a.threads = at::in_parallel_region() ? 1 : at::get_num_threads();
    a.parallel = &kParallel;
    return a;
}

constexpr AttentionDevice kCpu{
    .name = "CPU",
    .failure = [] { return std::string("a kernel failed"); },
    .narrows = true,
    .adds_sink_logit = true,
    .skips_by_table = true,
    .boundary = &boundary_on_cpu,
    .readable = &with_dense_rows,
    .rows = &rows_of_tensor,
    .forward_workspace = &longbow_attention_cpu_forward_workspace,
    .backward_workspace = &longbow_attention_cpu_backward_workspace,
    .skip_table_workspace = &longbow_attention_cpu_skip_table_workspace,
    .forward = &longbow_attention_cpu_forward,
    .backward = &longbow_attention_cpu_backward,
    .skip_table = &longbow_attention_cpu_skip_table,
};

TORCH_LIBRARY_IMPL(longbow, CPU, m) { implement_on<kCpu>(m); }

}  // namespace

std::int64_t fused_attention_workspace(at::ScalarType type, std::int64_t batch, std::int64_t heads,
                                       std::int64_t kv_heads, std::int64_t length, std::int64_t head_dim,
                                       std::int64_t table_length, int threads) {
    longbow_attention a{};
    a.batch = static_cast<std::int32_t>(batch);
    a.heads = static_cast<std::int32_t>(heads);
    a.kv_heads = static_cast<std::int32_t>(kv_heads);
    a.query_length = a.key_length = static_cast<std::int32_t>(length);
    a.head_dim = static_cast<std::int32_t>(head_dim);
    a.dtype = dtype_of(type);
    a.causal = 1;
    a.dropout_keep = 256;
    a.threads = threads;
    float wanted = 0.0F;  // its address says that a table's gradient is wanted; nothing is written to it
    if (table_length > 0) {
        a.table = a.dtable = &wanted;
        a.table_length = static_cast<std::int32_t>(table_length);
    }
    return longbow_attention_cpu_backward_workspace(&a);
}

double fused_attention_peak(at::ScalarType type, int threads) {
    return threads * longbow_attention_cpu_peak(dtype_of(type));
}

std::string fused_attention_instructions() { return longbow_attention_cpu_instructions(); }

}  // namespace longbow
