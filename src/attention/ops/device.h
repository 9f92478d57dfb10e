// What the operators do on every device, once: allocation, the table of skipped blocks, the kernels' boundary. A device adds how its kernels
// want their rows and how they are started.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <tuple>

#include "attention/kernels/params.h"
#include "attention/ops/call.h"

namespace longbow {

struct AttentionDevice {
    // call's tensors become what the kernels can read; the struct points into them.
    longbow_attention (*boundary)(AttentionCall& call);
    at::Tensor (*readable)(const at::Tensor& t);   // t itself, or a copy whose rows the kernels can read
    longbow_tensor4 (*rows)(const at::Tensor& t);  // of a readable one
    // first [batch, heads, blocks of queries] on the device of `like`; longest: null, or [batch, heads, blocks of keys] (params.h).
    void (*skip_table)(longbow_attention& a, float threshold, std::int32_t* first, float* longest, const at::Tensor& like);
    bool narrows;  // whether the forward pass narrows the table on its way
    // Allocate the workspace and run; throw where no kernel serves or a start fails.
    void (*forward)(longbow_attention& a, const at::Tensor& like);
    void (*backward)(longbow_attention& a, const at::Tensor& like);
};

// -> out, lse, first_key_block (the first block visited for each block of queries, [batch, heads, blocks]; where the pass narrowed its table
// for each group of rows too, [batch, heads, blocks, LONGBOW_ROW_GROUPS]; empty where nothing can be skipped).
std::tuple<at::Tensor, at::Tensor, at::Tensor> forward_on(const AttentionDevice& device, AttentionCall call, double skip_threshold);

// -> dq, dk, dv, dslopes [batch, heads], dtable; the last two empty where not wanted.
std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor> backward_on(const AttentionDevice& device, AttentionCall call,
                                                                                   const at::Tensor& grad, const at::Tensor& out,
                                                                                   const at::Tensor& lse, const at::Tensor& first_key_block,
                                                                                   bool slopes_grad, bool table_grad);

// The table without the forward pass: what a device that does not narrow it visits. call.v is not read.
at::Tensor first_key_block_on(const AttentionDevice& device, AttentionCall call, double skip_threshold);

// [batch, heads] fp32: the share of the blocks that causality and the window leave which first_key_block leaves too.
at::Tensor visited_share(const AttentionCall& call, const at::Tensor& first_key_block);

}  // namespace longbow
