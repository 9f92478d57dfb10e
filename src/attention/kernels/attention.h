// The kernels of each device: the same functions of the same types, so that the operators (ops/device.h) need not know
// which device they use. A call is params.h's, and every pointer in it is in the memory of its device.
#pragma once

#include <cstdint>

#include "params.h"

extern "C" {

// Bytes that call->workspace must hold, aligned to 64. They depend on shapes, dtype, which gradients are wanted and, on
// CPU, call->threads.
using longbow_attention_bytes = std::int64_t(const longbow_attention* call);
// Forward: out and lse from q, k and v. Backward: from q, k, v, out, lse and dout the gradients that are wanted.
using longbow_attention_pass = longbow_status(const longbow_attention* call);
// The table of skipped blocks by the rule of skip_table.h, number for number the same on each device, into
// `first` [batch, heads, ceil(query_length / LONGBOW_BLOCK)]: for calls that are causal and have slopes and no distance
// table. `longest`: null, or max_key_norms of params.h, which are filled in too (on CPU alone: CUDA serves no such
// call).
using longbow_attention_table = longbow_status(const longbow_attention* call, float threshold, std::int32_t* first,
                                               float* longest);

// CPU: the bits of the results depend on the instruction set, never on the threads (cpu/attention_cpu.h has what else
// there is).
longbow_attention_bytes longbow_attention_cpu_forward_workspace, longbow_attention_cpu_backward_workspace,
    longbow_attention_cpu_skip_table_workspace;
longbow_attention_pass longbow_attention_cpu_forward, longbow_attention_cpu_backward;
longbow_attention_table longbow_attention_cpu_skip_table;

// CUDA: work is put on call->stream and not waited for. Rows (strides and start) of q, k, v, dout and out are 16-byte
// aligned; strides of gradients are even. The same inputs give the same bits: no sum depends on the order in which
// blocks run.
longbow_attention_bytes longbow_attention_cuda_forward_workspace, longbow_attention_cuda_backward_workspace,
    longbow_attention_cuda_skip_table_workspace;
longbow_attention_pass longbow_attention_cuda_forward, longbow_attention_cuda_backward;
longbow_attention_table longbow_attention_cuda_skip_table;

}  // extern "C"
