// Implements what the operators do alike on every device: allocation, the table of skipped blocks, the kernels'
// boundary. A device adds its kernels, and how they need their rows.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "attention/kernels/attention.h"
#include "attention/ops/arguments.h"

namespace longbow {

struct AttentionDevice {
    const char* name;          // "CPU", for messages
    std::string (*failure)();  // which kernel could not be started by this thread, and why
    bool narrows;              // whether the forward pass narrows the table of skipped blocks
    bool adds_sink_logit;      // whether the kernels add a sink logit; if not, it is added to their results
    bool skips_by_table;       // whether the table of skipped blocks is made for a distance table too
    // Replaces `call`'s tensors by ones that the kernels can read. The returned struct points into them and says how
    // the kernels run.
    longbow_attention (*boundary)(FusedAttentionCall& call);
    at::Tensor (*readable)(const at::Tensor& t);   // t itself, or a copy whose rows the kernels can read
    longbow_tensor4 (*rows)(const at::Tensor& t);  // of a readable tensor
    longbow_attention_bytes *forward_workspace, *backward_workspace, *skip_table_workspace;
    longbow_attention_pass *forward, *backward;
    longbow_attention_table* skip_table;
};

// Lets a sink logit [heads] take its part of the rows of `out` and `lse` that a pass without it has computed. Rows that
// saw no key stay as they are.
void add_sink_logit(const at::Tensor& sink_logit, at::Tensor& out, at::Tensor& lse);
// Returns the sink logit's gradient, fp64 [heads], from the results of a pass with it.
at::Tensor sink_logit_gradient(const at::Tensor& sink_logit, const at::Tensor& out, const at::Tensor& lse,
                               const at::Tensor& grad);

// first_key_block holds the first block visited for each block of queries, [batch, heads, blocks]; if the pass narrowed
// its table, also for each group of rows, [batch, heads, blocks, LONGBOW_ROW_GROUPS]; it is empty if nothing can be
// skipped.
ForwardResult forward_on(const AttentionDevice& device, FusedAttentionCall call);

// dslopes is [batch, heads], the gradients of parts by place are fp64 [batch, heads, length], and dsink_logit is fp64
// [heads]; each is empty if it is not wanted.
PartsBackwardResult backward_on(const AttentionDevice& device, BackwardCall call);

// Returns [batch, heads] fp32: of the blocks that causality and the window leave, the share that the forward pass
// visits. On a device that narrows its table, only a forward pass shows that, so one is computed.
at::Tensor visited_on(const AttentionDevice& device, FusedAttentionCall call);

// Returns the same share for the first_key_block of a forward pass.
at::Tensor visited_share(FusedAttentionCall call, const at::Tensor& first_key_block);

// Registers the operators of one device.
template <const AttentionDevice& kDevice, class Library>
void implement_on(Library& m) {
    implement<ForwardOperator, [](FusedAttentionCall call) { return forward_on(kDevice, std::move(call)); }>(m);
    implement<BackwardOperator, [](BackwardCall call) {
        auto [dq, dk, dv, dslopes, dtable, dquery, dkey, drow, dcolumn, dsink] = backward_on(kDevice, std::move(call));
        return BackwardResult{dq, dk, dv, dslopes, dtable};
    }>(m);
    implement<PartsForwardOperator, [](FusedAttentionCall call) { return forward_on(kDevice, std::move(call)); }>(m);
    implement<PartsBackwardOperator, [](BackwardCall call) { return backward_on(kDevice, std::move(call)); }>(m);
    implement<VisitedOperator, [](FusedAttentionCall call) { return visited_on(kDevice, std::move(call)); }>(m);
}

}  // namespace longbow
