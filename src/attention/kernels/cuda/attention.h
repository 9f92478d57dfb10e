// Declares attention on CUDA behind the C boundary of params.h. Every pointer is device memory; work is put on
// call->stream and not waited for. The start and the strides of q, k, v, dout and out must be 16-byte aligned; the
// strides of gradients must be even.
#pragma once

#include <cstddef>

#include "../params.h"

extern "C" {

// Return the bytes that call->workspace must hold, 16-byte aligned. They depend on the shapes, the dtype and which
// gradients are wanted.
std::size_t longbow_cuda_attention_forward_workspace(const longbow_attention* call);
std::size_t longbow_cuda_attention_backward_workspace(const longbow_attention* call);

longbow_status longbow_cuda_attention_forward(const longbow_attention* call);
// Computes the gradients from q, k, v, out, lse and dout. The same inputs give the same bits: no sum depends on the
// order in which blocks run.
longbow_status longbow_cuda_attention_backward(const longbow_attention* call);

// Fills the table of first key blocks, [batch, heads, ceil(query_length / 64)] in device memory, by the rule of
// ../skip_table.h. The call must be causal and have slopes and no distance table. The numbers equal the CPU's.
std::size_t longbow_cuda_skip_table_workspace(const longbow_attention* call);
longbow_status longbow_cuda_skip_table(const longbow_attention* call, float threshold, std::int32_t* first);

}  // extern "C"
