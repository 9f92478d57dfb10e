// What the operators do on every device, once: allocation, the table of skipped blocks, the kernels' boundary. A device
// adds how its kernels want their rows, and the kernels.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "attention/kernels/attention.h"
#include "attention/ops/arguments.h"

namespace longbow {

struct AttentionDevice {
    const char* name;   // "CPU", for messages
    const char* needs;  // what is missing where a kernel cannot be started
    bool narrows;       // whether the forward pass narrows the table of skipped blocks on its way
    // call's tensors become what the kernels can read; the struct points into them and says how the kernels run.
    longbow_attention (*boundary)(FusedAttentionCall& call);
    at::Tensor (*readable)(const at::Tensor& t);   // t itself, or a copy whose rows the kernels can read
    longbow_tensor4 (*rows)(const at::Tensor& t);  // of a readable one
    longbow_attention_bytes *forward_workspace, *backward_workspace, *skip_table_workspace;
    longbow_attention_pass *forward, *backward;
    longbow_attention_table* skip_table;
};

// first_key_block: the first block visited for each block of queries, [batch, heads, blocks]; where the pass narrowed
// its table for each group of rows too, [batch, heads, blocks, LONGBOW_ROW_GROUPS]; empty where nothing can be skipped.
ForwardResult forward_on(const AttentionDevice& device, FusedAttentionCall call);

// dslopes is [batch, heads]; it and dtable are empty where not wanted.
BackwardResult backward_on(const AttentionDevice& device, BackwardCall call);

// [batch, heads] fp32: the share of the blocks that causality and the window leave which the forward pass visits. On a
// device that narrows its table, that pass finds it out.
at::Tensor visited_on(const AttentionDevice& device, FusedAttentionCall call);

// The same, of the first_key_block that a forward pass gave.
at::Tensor visited_share(FusedAttentionCall call, const at::Tensor& first_key_block);

// Registers the operators of one device.
template <const AttentionDevice& kDevice, class Library>
void implement_on(Library& m) {
    implement<ForwardOperator, [](FusedAttentionCall call) { return forward_on(kDevice, std::move(call)); }>(m);
    implement<BackwardOperator, [](BackwardCall call) { return backward_on(kDevice, std::move(call)); }>(m);
    implement<VisitedOperator, [](FusedAttentionCall call) { return visited_on(kDevice, std::move(call)); }>(m);
}

}  // namespace longbow
