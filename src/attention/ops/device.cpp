#include "attention/ops/device.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>

#include <numbers>

#include "attention/kernels/cpu/attention_cpu.h"
#include "attention/kernels/skip_table.h"

namespace longbow {

namespace {

constexpr std::int64_t kBlock = 64;  // queries and keys

struct SkipTable {
    at::Tensor first;    // [batch, heads, blocks of queries], or empty where nothing can be skipped
    at::Tensor longest;  // [batch, heads, blocks of keys] for a forward pass that narrows the table
};

SkipTable skip_table(const AttentionDevice& device, longbow_attention a, double threshold, const at::Tensor& q) {
    const auto ints = q.options().dtype(at::kInt);
    if (!longbow_skip_table_helps(&a, static_cast<float>(threshold))) {
        return {at::empty({0}, ints), {}};
    }
    const auto blocks = [](std::int64_t length) { return (length + kBlock - 1) / kBlock; };
    SkipTable table{at::empty({a.batch, a.heads, blocks(a.query_length)}, ints), {}};
    float* longest = nullptr;
    if (device.narrows) {  // a quarter of what may be left out is the table's
        table.longest = at::empty({a.batch, a.heads, blocks(a.key_length)}, q.options().dtype(at::kFloat));
        longest = table.longest.mutable_data_ptr<float>();
        threshold += 2.0 * std::numbers::ln2;
    }
    device.skip_table(a, static_cast<float>(threshold), table.first.mutable_data_ptr<std::int32_t>(), longest, q);
    return table;
}

// The kernels' view of a table of first blocks: empty, [batch, heads, blocks of queries], or, where the forward pass narrows it, with a fourth
// dimension for groups of rows.
void set_table(longbow_attention& a, const at::Tensor& table, bool narrows) {
    const auto blocks = (std::int64_t{a.query_length} + kBlock - 1) / kBlock;
    const bool fits =
        table.numel() == 0 || (table.dim() >= 3 && table.size(0) == a.batch && table.size(1) == a.heads && table.size(2) == blocks &&
                               (table.dim() == 3 || (narrows && table.dim() == 4 && table.size(3) == LONGBOW_ROW_GROUPS)));
    TORCH_CHECK_VALUE(fits && table.is_contiguous() && table.scalar_type() == at::kInt, "fused_attention: first_key_block must be int32 [",
                      a.batch, ", ", a.heads, ", ", blocks, "], as the forward operator gave it, not ", table.scalar_type(), " ",
                      table.sizes());
    a.first_key_block = table.numel() == 0 ? nullptr : table.const_data_ptr<std::int32_t>();
    a.first_key_groups = table.dim() == 4 ? static_cast<std::int32_t>(table.size(3)) : 1;
}

}  // namespace

std::tuple<at::Tensor, at::Tensor, at::Tensor> forward_on(const AttentionDevice& device, AttentionCall call, double skip_threshold) {
    check_call(call);
    const double threshold = checked_skip_threshold(skip_threshold);
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
            a.longest_keys = table.longest.const_data_ptr<float>();
            a.skip_threshold = static_cast<float>(threshold);
            a.visited_from = visited.mutable_data_ptr<std::int32_t>();
        }
        device.forward(a, q);
    }
    return {out, lse, visited};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor> backward_on(const AttentionDevice& device, AttentionCall call,
                                                                                   const at::Tensor& grad, const at::Tensor& out,
                                                                                   const at::Tensor& lse, const at::Tensor& first_key_block,
                                                                                   bool slopes_grad, bool table_grad) {
    check_call(call);
    TORCH_CHECK_VALUE(grad.sizes() == call.q.sizes() && out.sizes() == call.q.sizes(), "fused_attention_backward: grad ", grad.sizes(),
                      " and out ", out.sizes(), " must be as q ", call.q.sizes());
    const auto [dq, dk, dv] = empty_gradients(call);  // before q, k, v may become copies, which would hide that they are one buffer
    auto a = device.boundary(call);
    const auto& q = call.q;
    const auto floats = q.options().dtype(at::kFloat);
    auto dslopes = at::empty(slopes_grad ? at::IntArrayRef{q.size(0), q.size(1)} : at::IntArrayRef{0}, floats);
    auto dtable = at::empty(table_grad ? call.table->sizes() : at::IntArrayRef{0}, floats);
    // Each copy lives until the kernels have been started.
    const auto dout = device.readable(grad.to(q.scalar_type()));
    const auto readable_out = device.readable(out);
    const auto whole_lse = lse.contiguous();
    a.out = device.rows(readable_out);
    a.lse = whole_lse.data_ptr<float>();
    set_table(a, first_key_block, device.narrows);
    a.dout = device.rows(dout);
    a.dq = device.rows(dq);
    a.dk = device.rows(dk);
    a.dv = device.rows(dv);
    a.dslopes = slopes_grad ? dslopes.mutable_data_ptr<float>() : nullptr;
    a.dtable = table_grad ? dtable.mutable_data_ptr<float>() : nullptr;
    device.backward(a, q);
    return {dq, dk, dv, dslopes, dtable};
}

at::Tensor first_key_block_on(const AttentionDevice& device, AttentionCall call, double skip_threshold) {
    check_call(call);
    return skip_table(device, device.boundary(call), checked_skip_threshold(skip_threshold), call.q).first;
}

// The table is small: it is counted on the CPU.
at::Tensor visited_share(const AttentionCall& call, const at::Tensor& first_key_block) {
    longbow_attention a{};
    a.batch = static_cast<std::int32_t>(call.q.size(0));
    a.heads = static_cast<std::int32_t>(call.q.size(1));
    a.query_length = static_cast<std::int32_t>(call.q.size(2));
    a.key_length = static_cast<std::int32_t>(call.k.size(2));
    a.causal = call.causal ? 1 : 0;
    a.window = static_cast<std::int32_t>(call.window);
    const auto lengths = call.lengths ? call.lengths->to(at::kCPU, at::kInt).contiguous() : at::Tensor();
    a.lengths = lengths.defined() ? lengths.const_data_ptr<std::int32_t>() : nullptr;
    const auto table = first_key_block.to(at::kCPU);
    set_table(a, table, true);
    auto fraction = at::ones({call.q.size(0), call.q.size(1)}, at::kFloat);
    if (a.first_key_block != nullptr) {
        longbow_attention_cpu_visited(&a, fraction.mutable_data_ptr<float>());
    }
    return fraction.to(call.q.device());
}

}  // namespace longbow
