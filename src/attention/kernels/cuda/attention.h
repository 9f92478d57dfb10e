// Attention on CUDA behind the C boundary of params.h. Every pointer is device memory; work is put on call->stream and not waited for.
// Rows (strides and start) of q, k, v, dout and out are 16-byte aligned; strides of gradients are even.
#pragma once

#include <cstddef>

#include "../params.h"

extern "C" {

// Bytes of call->workspace that the call needs, 16-byte aligned; they depend on shapes, dtype and on which gradients are wanted.
std::size_t longbow_cuda_attention_forward_workspace(const longbow_attention* call);
std::size_t longbow_cuda_attention_backward_workspace(const longbow_attention* call);

longbow_status longbow_cuda_attention_forward(const longbow_attention* call);
// From q, k, v, out, lse and dout. The same inputs give the same bits: no sum depends on the order in which blocks run.
longbow_status longbow_cuda_attention_backward(const longbow_attention* call);

// The table of first key blocks, [batch, heads, ceil(query_length / 64)] in device memory, by the rule of ../skip_table.h: for calls that are
// causal and have slopes and no table. Equal to the CPU's, number for number.
std::size_t longbow_cuda_skip_table_workspace(const longbow_attention* call);
longbow_status longbow_cuda_skip_table(const longbow_attention* call, float threshold, std::int32_t* first);

}  // extern "C"
