// Declares the kernels of each device. They are the same functions of the same types, so that the operators
// (ops/device.h) need not know which device they use. A call is the struct of params.h, in which every pointer is to
// memory of its device.
#pragma once

#include <cstdint>

#include "params.h"

extern "C" {

// Returns the bytes that call->workspace must hold, aligned to 64. They depend on shapes, dtype, the wanted gradients
// and, on CPU, call->threads.
using longbow_attention_bytes = std::int64_t(const longbow_attention* call);
// A forward pass computes out and lse from q, k and v. A backward pass computes the wanted gradients from q, k, v, out,
// lse and dout.
using longbow_attention_pass = longbow_status(const longbow_attention* call);
// Computes the table of skipped blocks by the rule of skip_table.h into `first` [batch, heads, ceil(query_length /
// LONGBOW_BLOCK)], with exactly the same numbers on each device. The call must be one that
// longbow_attention_can_skip(). `longest` is null, or max_key_norms of params.h, which is filled in too, and so is
// places.column_tails (only on CPU; the CUDA function refuses such a call).
using longbow_attention_table = longbow_status(const longbow_attention* call, float threshold, std::int32_t* first,
                                               float* longest);

// On CPU, the bits of the results depend on the instruction set, never on the number of threads. cpu/attention_cpu.h
// declares what else the CPU has.
longbow_attention_bytes longbow_attention_cpu_forward_workspace, longbow_attention_cpu_backward_workspace,
    longbow_attention_cpu_skip_table_workspace;
longbow_attention_pass longbow_attention_cpu_forward, longbow_attention_cpu_backward;
longbow_attention_table longbow_attention_cpu_skip_table;

// On CUDA, work is queued on call->stream and not waited for. Rows (strides and start) of q, k, v, dout and out must be
// 16-byte aligned; strides of gradients must be even. The same inputs give the same bits: no sum depends on the order
// in which blocks run.
longbow_attention_bytes longbow_attention_cuda_forward_workspace, longbow_attention_cuda_backward_workspace,
    longbow_attention_cuda_skip_table_workspace;
longbow_attention_pass longbow_attention_cuda_forward, longbow_attention_cuda_backward;
longbow_attention_table longbow_attention_cuda_skip_table;

// Why a kernel could not be started. The runtime has forgotten the error, so that no later kernel is blamed for it.
struct longbow_failure {
    std::int32_t error;    // cudaError_t
    std::int32_t earlier;  // 1: the error was there before this kernel; another call has caused it
    const char* name;      // the CUDA runtime's, "cudaErrorNoKernelImageForDevice"
    const char* text;      // the CUDA runtime's, "no kernel image is available for execution on the device"
    char kernel[192];      // "longbow::cuda::ForwardKernel<float, 64, 4, false>"
};
// Returns the last failure of the calling thread.
const longbow_failure* longbow_attention_cuda_failure();

}  // extern "C"
