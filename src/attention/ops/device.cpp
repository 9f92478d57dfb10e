#include "attention/ops/device.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/isneginf.h>
#include <ATen/ops/logaddexp.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/where.h>
#include <c10/core/DeviceGuard.h>

#include <numbers>

#include "attention/kernels/cpu/attention_cpu.h"
#include "attention/kernels/skip_table.h"
#include "attention/ops/call.h"

namespace longbow {

namespace {

std::int64_t blocks_of(std::int64_t length) { return (length + LONGBOW_BLOCK - 1) / LONGBOW_BLOCK; }

// Runs one of the kernels in a workspace of the size that it needs. Throws if no kernel serves the call or the start
// fails.
template <class Kernel, class... Arguments>
void run(const AttentionDevice& device, longbow_attention& a, const at::Tensor& q, longbow_attention_bytes* bytes,
         Kernel* kernel, Arguments... arguments) {
    const auto workspace = at::empty({bytes(&a)}, q.options().dtype(at::kByte));
    a.workspace = workspace.data_ptr();
    const auto status = kernel(&a, arguments...);
    TORCH_CHECK(status != LONGBOW_UNSUPPORTED, "fused_attention: no ", device.name, " kernel for q ", q.sizes());
    TORCH_CHECK(status != LONGBOW_CAPTURED,
                "fused_attention: dropout cannot be captured in a CUDA graph, because each replay would draw the same "
                "mask; capture without dropout, or leave attention out of the graph");
    TORCH_CHECK(status == LONGBOW_OK, "fused_attention on ", q.device(), ": ", device.failure());
}

struct SkipTable {
    at::Tensor first;                      // [batch, heads, blocks of queries]; empty if nothing can be skipped
    at::Tensor longest;                    // [batch, heads, blocks of keys] for a forward pass that narrows the table
    at::Tensor column_tails, table_tails;  // likewise, of terms by column and of a distance table
};

SkipTable skip_table(const AttentionDevice& device, longbow_attention& a, double threshold, const at::Tensor& q) {
    const auto ints = q.options().dtype(at::kInt);
    const bool serves = a.table == nullptr || device.skips_by_table;
    if (!serves || !longbow_attention_can_skip(&a, static_cast<float>(threshold))) {
        return {at::empty({0}, ints), {}, {}, {}};
    }
    SkipTable table{at::empty({a.batch, a.heads, blocks_of(a.query_length)}, ints), {}, {}, {}};
    float* longest = nullptr;
    if (device.narrows) {  // the table may use a quarter of what may be left out
        table.longest = at::empty({a.batch, a.heads, blocks_of(a.key_length)}, q.options().dtype(at::kFloat));
        longest = table.longest.mutable_data_ptr<float>();
        if (a.places.column != nullptr) {
            table.column_tails = at::empty(table.longest.sizes(), q.options().dtype(at::kDouble));
            a.places.column_tails = table.column_tails.mutable_data_ptr<double>();
        }
        if (a.table != nullptr) {
            table.table_tails = at::empty({a.batch, a.heads, a.key_length + LONGBOW_BLOCK}, table.longest.options());
            a.places.table_tails = table.table_tails.mutable_data_ptr<float>();
        }
        threshold += 2.0 * std::numbers::ln2;
    }
    run(device, a, q, device.skip_table_workspace, device.skip_table, static_cast<float>(threshold),
        table.first.mutable_data_ptr<std::int32_t>(), longest);
    return table;
}

// Sets the kernels' view of a table of first blocks. It is empty, [batch, heads, blocks of queries] or, if the forward
// pass narrows it, has a fourth dimension for groups of rows.
void set_table(longbow_attention& a, const at::Tensor& table, bool narrows) {
    const auto blocks = blocks_of(a.query_length);
    const bool fits =
        table.numel() == 0 ||
        (table.dim() >= 3 && table.size(0) == a.batch && table.size(1) == a.heads && table.size(2) == blocks &&
         (table.dim() == 3 || (narrows && table.dim() == 4 && table.size(3) == LONGBOW_ROW_GROUPS)));
    TORCH_CHECK_VALUE(fits && table.is_contiguous() && table.scalar_type() == at::kInt,
                      "fused_attention: first_key_block must be int32 [", a.batch, ", ", a.heads, ", ", blocks,
                      "], as the forward operator gave it, not ", table.scalar_type(), " ", table.sizes());
    a.first_key_block = table.numel() == 0 ? nullptr : table.const_data_ptr<std::int32_t>();
    a.first_key_groups = table.dim() == 4 ? static_cast<std::int32_t>(table.size(3)) : 1;
}

}  // namespace

ForwardResult forward_on(const AttentionDevice& device, FusedAttentionCall call) {
    const c10::DeviceGuard on_device(call.q.device());
    check_call(call);
    const double threshold = checked_skip_threshold(call.skip_threshold);
    auto a = device.boundary(call);
    const auto& q = call.q;
    auto out = empty_merged(q);
    auto lse = at::empty({q.size(0), q.size(1), q.size(2)}, q.options().dtype(at::kFloat));
    const auto table = skip_table(device, a, threshold, q);
    auto visited = table.first;
    if (q.numel() > 0) {
        a.out = device.rows(out);
        a.lse = lse.mutable_data_ptr<float>();
        set_table(a, table.first, device.narrows);
        if (table.longest.defined()) {
            visited = at::empty({q.size(0), q.size(1), table.first.size(2), LONGBOW_ROW_GROUPS}, table.first.options());
            a.max_key_norms = table.longest.const_data_ptr<float>();
            a.skip_threshold = static_cast<float>(threshold);
            a.first_visited_block = visited.mutable_data_ptr<std::int32_t>();
        }
        run(device, a, q, device.forward_workspace, device.forward);
        if (call.sink_logit && !device.adds_sink_logit) add_sink_logit(*call.sink_logit, out, lse);
    }
    return {out, lse, visited};
}

PartsBackwardResult backward_on(const AttentionDevice& device, BackwardCall call) {
    const c10::DeviceGuard on_device(call.q.device());
    check_call(call);
    TORCH_CHECK_VALUE(call.grad.sizes() == call.q.sizes() && call.out.sizes() == call.q.sizes(),
                      "fused_attention_backward: grad ", call.grad.sizes(), " and out ", call.out.sizes(),
                      " must be as q ", call.q.sizes());
    // The gradients come first, since q, k, v may become copies, which would hide that they are one buffer.
    const auto [dq, dk, dv] = empty_gradients(call);
    auto a = device.boundary(call);
    const auto& q = call.q;
    const auto floats = q.options().dtype(at::kFloat);
    auto dslopes = at::empty(call.slopes_grad ? at::IntArrayRef{q.size(0), q.size(1)} : at::IntArrayRef{0}, floats);
    auto dtable = at::empty(call.table_grad ? call.table->sizes() : at::IntArrayRef{0}, floats);
    auto& places = a.places;
    const auto wanted = [&](bool needed, std::int64_t length, double*& at) {
        auto gradient = at::empty(needed ? at::IntArrayRef{q.size(0), q.size(1), length} : at::IntArrayRef{0},
                                  q.options().dtype(at::kDouble));
        at = needed ? gradient.mutable_data_ptr<double>() : nullptr;
        return gradient;
    };
    const auto dquery_slopes = wanted(call.query_slopes_grad, q.size(2), places.dquery_slopes);
    const auto dkey_slopes = wanted(call.key_slopes_grad, call.k.size(2), places.dkey_slopes);
    const auto drow = wanted(call.row_grad, q.size(2), places.drow);
    const auto dcolumn = wanted(call.column_grad, call.k.size(2), places.dcolumn);
    auto dsink = wanted(call.sink_logit_grad && device.adds_sink_logit, blocks_of(a.query_length), places.dsink_logit);
    // Each copy must live until the kernels have been started.
    const auto dout = device.readable(call.grad.to(q.scalar_type()));
    const auto out = device.readable(call.out);
    const auto lse = call.lse.contiguous();
    a.out = device.rows(out);
    a.lse = lse.data_ptr<float>();
    set_table(a, call.first_key_block, device.narrows);
    a.dout = device.rows(dout);
    a.dq = device.rows(dq);
    a.dk = device.rows(dk);
    a.dv = device.rows(dv);
    a.dslopes = call.slopes_grad ? dslopes.mutable_data_ptr<float>() : nullptr;
    a.dtable = call.table_grad ? dtable.mutable_data_ptr<float>() : nullptr;
    run(device, a, q, device.backward_workspace, device.backward);
    if (call.sink_logit_grad) {
        dsink = device.adds_sink_logit ? dsink.sum(at::IntArrayRef{0, 2})
                                       : sink_logit_gradient(*call.sink_logit, call.out, lse, call.grad);
    }
    return {dq, dk, dv, dslopes, dtable, dquery_slopes, dkey_slopes, drow, dcolumn, dsink};
}

void add_sink_logit(const at::Tensor& sink_logit, at::Tensor& out, at::Tensor& lse) {
    const auto sink = sink_logit.to(at::kFloat).view({1, -1, 1});
    const auto empty = at::isneginf(lse);
    const auto whole = at::where(empty, lse, at::logaddexp(lse, sink));
    out.mul_(at::where(empty, lse.new_zeros({}), lse.sub(whole).exp()).unsqueeze(3));
    lse = whole;
}

at::Tensor sink_logit_gradient(const at::Tensor& sink_logit, const at::Tensor& out, const at::Tensor& lse,
                               const at::Tensor& grad) {
    const auto share = sink_logit.to(at::kFloat).view({1, -1, 1}).sub(lse).exp().masked_fill(at::isneginf(lse), 0.0);
    const auto delta = out.to(at::kFloat).mul(grad.to(at::kFloat)).sum(3);
    return share.mul(delta).sum(at::IntArrayRef{0, 2}, false, at::kDouble).neg();
}

at::Tensor visited_on(const AttentionDevice& device, FusedAttentionCall call) {
    call = with_scale(std::move(call));
    call.v = call.k;  // the values do not affect which blocks are visited
    if (device.narrows) return visited_share(call, std::get<2>(forward_on(device, call)));
    const c10::DeviceGuard on_device(call.q.device());
    check_call(call);
    auto readable = call;
    auto a = device.boundary(readable);
    return visited_share(call, skip_table(device, a, checked_skip_threshold(call.skip_threshold), readable.q).first);
}

// The table is small, so it is counted on the CPU.
at::Tensor visited_share(FusedAttentionCall call, const at::Tensor& first_key_block) {
    if (call.lengths) call.lengths = call.lengths->to(at::kCPU, at::kInt).contiguous();
    auto a = shape_of(call);
    const auto table = first_key_block.to(at::kCPU);
    set_table(a, table, true);
    auto fraction = at::ones({call.q.size(0), call.q.size(1)}, at::kFloat);
    if (a.first_key_block != nullptr) {
        longbow_attention_cpu_visited(&a, fraction.mutable_data_ptr<float>());
    }
    return fraction.to(call.q.device());
}

}  // namespace longbow
