// Implements the back-end over ATen's scaled_dot_product_attention. With a bias that needs a dense mask [1, heads, Lq,
// Lk]; this file builds the mask seldom and keeps it small:
// - A bias depends on i - j alone, so the mask of fewer rows or keys is the bottom right corner of a larger one. One
//   mask is kept between calls, with spare columns so that decoding token by token does not rebuild it each time.
// - A bias that depends on the places of query or key by themselves has no such corner: its mask is made anew for each
//   call.
// - Without gradients, long queries go in blocks of rows that see only the keys up to their end. Memory is then O(Lk)
//   instead of O(Lk^2), and the half of the work above the diagonal, which a masked call would compute, is left out.
// - Far keys with scores of their own are more keys of a wider head: queries are (q, far_q), near keys (k, 0), far keys
//   (0, far_k), each hidden where the other counts.
// - A sink logit is one more key whose score is the mask's and whose value is 0.
// - Keys and values that serve several heads of q are repeated: ATen's fused kernel for CPUs takes as many heads of
//   each, and its formula in steps, to which it would fall back, holds every score.
// - On a GPU, ATen's kernels take no fp32 mask beside 16-bit queries: the memory-efficient one refuses it, cuDNN's (up
//   to LibTorch 2.11 at least) reads it as if it were of the queries' type, and the formula in steps needs every score
//   in fp32. There the mask is rounded, and rounded_bias() says so (docs/attention.md gives the error).
#include <ATen/autocast_mode.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>

#include "backends.h"

namespace longbow {

namespace {

constexpr std::int64_t kRowBlock = 256;
constexpr std::int64_t kSpareColumns = 256;

class SdpaAttention final : public AttentionBackend {
public:
    void prepare(const BiasSpec& bias, std::int64_t length, const at::TensorOptions& query,
                 AttentionScratch& scratch) override {
        if (bias.requires_grad()) scratch.dense = dense_bias(bias, length, length, query.dtype(mask_type(query)));
    }

    at::Tensor forward(const AttentionInput& input) override {
        // Autocast would round the mask to 8 bits.
        const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
        auto in = input;
        const auto heads = input.q.size(1);
        in.k = for_each_query_head(input.k, heads);
        in.v = for_each_query_head(input.v, heads);
        if (in.far_k.defined()) in.far_k = for_each_query_head(input.far_k, heads);
        const auto rows = in.q.size(2);
        const auto columns = in.k.size(2);
        const bool biased = !in.bias.parts().without({BiasPart::sinks, BiasPart::positions}).empty();
        const bool windowed = in.bias.window > 0 && in.bias.window < columns;
        if (!biased && !windowed && rows == columns && !in.far_q.defined() && in.v.size(3) == in.q.size(3)) {
            return at::scaled_dot_product_attention(in.q, in.k, in.v, std::nullopt, in.dropout, /*is_causal=*/true,
                                                    in.scale);
        }
        const auto type = mask_type(in.q.options());
        // Without a bias the mask is 0 or -inf, which every type holds. Layers may have different biases.
        if (biased) bias_type_ = type;
        const bool differentiable = in.bias.requires_grad();
        const bool any_grad = differentiable || in.q.requires_grad() || in.k.requires_grad() || in.v.requires_grad();
        if (any_grad && at::GradMode::is_enabled())
            return attend(in, differentiable ? trained_mask(in, type) : kept_mask(in, rows, columns, type));
        if (rows <= kRowBlock) return attend(in, kept_mask(in, rows, columns, type));
        return blocks_of_rows(in, type);
    }

    [[nodiscard]] std::string rounded_bias() const override {
        return bias_type_ == at::kBFloat16 ? "bf16" : bias_type_ == at::kHalf ? "fp16" : "";
    }

    // ATen computes its formula step by step where none of its kernels serves: on a CPU with dropout, or with a learned
    // mask.
    [[nodiscard]] AttentionMemory memory(const AttentionRequest& request, const AttentionPass& pass) const override {
        const AttentionSizes sizes(request, pass);
        const bool gpu = on_gpu(request), learned = request.bias_needs_grad || request.bias_from_data;
        AttentionMemory memory;
        if (!gpu && (request.dropout > 0 || learned)) {
            memory = step_by_step_memory(request, pass);
        } else {
            if (sizes.repeated > 0) memory.copies = (sizes.q + sizes.repeated) * narrow_bytes(pass);
            memory.kept = sizes.rows * sizeof(float);
            memory.backward = (sizes.qkv + sizes.repeated) * narrow_bytes(pass);
            memory.evaluation = sizes.repeated * narrow_bytes(pass);
            // This is the mask's gradient, before its sum over the batch.
            if (learned) memory.backward += sizes.scores * narrow_bytes(pass);
        }
        if (request.bias.empty() && !request.windowed && !request.far) return memory;
        const bool by_head = !request.bias.without({BiasPart::positions, BiasPart::sinks}).empty();
        const auto heads = by_head ? static_cast<double>(pass.heads) : 1.0,
                   square = static_cast<double>(pass.length * pass.length);
        const double mask = square * heads * (gpu ? narrow_bytes(pass) : wide_bytes(pass));
        if (request.bias_from_data) {
            // Each layer has a mask of its own for each row of the batch, and its gradient.
            memory.kept += static_cast<double>(pass.batch) * mask;
            memory.backward += static_cast<double>(pass.batch) * mask;
            return memory;
        }
        // For a learned mask: also its gradient, and what its derivative keeps (the distances, and the mask of future
        // keys).
        constexpr double kDistance = sizeof(std::int64_t) + sizeof(bool);
        memory.masks = request.bias_needs_grad ? 2 * mask + kDistance * square : mask;
        return memory;
    }

private:
    // Returns the attention of all queries of `in` under a mask of their rows and all keys.
    static at::Tensor attend(const AttentionInput& in, at::Tensor mask) {
        auto q = in.q, k = in.k, v = in.v;
        const auto width = v.size(3);
        const auto scale = in.scale.value_or(1.0 / std::sqrt(static_cast<double>(q.size(3))));
        if (in.far_q.defined()) {
            const auto is_far = far_keys(in);
            const double hidden = -std::numeric_limits<double>::infinity();
            mask = at::cat({mask.masked_fill(is_far, hidden), mask.masked_fill(is_far.logical_not(), hidden)}, -1);
            const auto none = at::zeros_like(k);
            q = at::cat({q, in.far_q}, -1);
            k = at::cat({at::cat({k, none}, -1), at::cat({none, in.far_k}, -1)}, 2);
            v = at::cat({v, v}, 2);
        }
        if (in.bias.sink_logit.defined()) {
            const auto sink = in.bias.sink_logit.to(mask.scalar_type()).view({1, -1, 1, 1});
            mask = at::cat({mask.expand({-1, q.size(1), -1, -1}), sink.expand({mask.size(0), -1, q.size(2), 1})}, -1);
            k = at::constant_pad_nd(k, {0, 0, 0, 1});
            v = at::constant_pad_nd(v, {0, 0, 0, 1});
        }
        if (width == q.size(3)) return at::scaled_dot_product_attention(q, k, v, mask, in.dropout, false, in.scale);
        // ATen's kernels take values as wide as keys.
        v = at::constant_pad_nd(v, {0, q.size(3) - width});
        return at::scaled_dot_product_attention(q, k, v, mask, in.dropout, false, scale).narrow(-1, 0, width);
    }

    static at::ScalarType mask_type(const at::TensorOptions& q) {
        const auto type = c10::typeMetaToScalarType(q.dtype());
        return q.device().is_cpu() && type != at::kDouble ? at::kFloat : type;
    }

    static at::TensorOptions mask_options(const AttentionInput& in, at::ScalarType type) {
        return at::TensorOptions().dtype(type).device(in.q.device());
    }

    // Returns the mask of a table in training: a new one for each pass, with its gradient, shared by the layers that
    // share the table.
    static at::Tensor trained_mask(const AttentionInput& in, at::ScalarType type) {
        if (in.scratch == nullptr) {
            return dense_bias(in.bias, in.q.size(2), in.k.size(2), mask_options(in, type));
        }
        if (!in.scratch->dense.defined()) {
            in.scratch->dense = dense_bias(in.bias, in.q.size(2), in.k.size(2), mask_options(in, type));
        }
        return in.scratch->dense;
    }

    // Returns whether the bias of a query and a key depends on more than their distance.
    static bool anchored(const BiasSpec& bias) {
        constexpr BiasParts kByDistance = {BiasPart::slopes, BiasPart::table, BiasPart::sink_logit};
        return !bias.parts().without(kByDistance).empty();
    }

    // Returns the last `rows` rows and `columns` columns of a mask without gradient. The mask is kept as long as its
    // bias is the same.
    at::Tensor kept_mask(const AttentionInput& in, std::int64_t rows, std::int64_t columns, at::ScalarType type) {
        if (anchored(in.bias)) return dense_bias(in.bias, rows, columns, mask_options(in, type));
        const bool is_table = in.bias.table.defined();
        auto& mask = is_table && in.scratch != nullptr ? in.scratch->dense : mask_;
        const bool same_bias =
            (is_table && in.scratch != nullptr) ||
            (!is_table && !kept_table_ && in.bias.window == window_ && in.bias.slopes.is_same(slopes_));
        if (!mask.defined() || !same_bias || mask.scalar_type() != type || mask.device() != in.q.device() ||
            mask.size(2) < rows || mask.size(3) < columns) {
            // Whole windows (training, evaluation) get a mask of exactly their size. Queries shorter than their keys
            // mean a decoder, which will call again with one key more each time.
            const auto kept_columns = rows == columns ? columns : columns + kSpareColumns;
            mask = dense_bias(in.bias, rows, kept_columns, mask_options(in, type));
            if (&mask == &mask_) {
                kept_table_ = is_table;
                window_ = in.bias.window;
                slopes_ = in.bias.slopes;
            }
        }
        return mask.slice(2, mask.size(2) - rows).slice(3, mask.size(3) - columns);
    }

    at::Tensor blocks_of_rows(const AttentionInput& in, at::ScalarType type) {
        const auto rows = in.q.size(2);
        const auto columns = in.k.size(2);
        const bool by_place = anchored(in.bias);
        const auto mask = by_place ? at::Tensor() : kept_mask(in, kRowBlock, columns, type);
        // Laid out [batch, length, heads, head_dim] like the result of ATen's own kernel, so that the caller merges the
        // heads without a copy.
        auto out = at::empty({in.q.size(0), rows, in.q.size(1), in.v.size(3)}, in.q.options()).transpose(1, 2);
        for (std::int64_t begin = 0; begin < rows; begin += kRowBlock) {
            const auto end = std::min(begin + kRowBlock, rows);
            const auto visible = columns - rows + end;
            auto block = in;
            block.bias = bias_of_rows(in.bias, begin, end, visible);
            block.q = in.q.slice(2, begin, end);
            block.k = in.k.slice(2, 0, visible);
            block.v = in.v.slice(2, 0, visible);
            if (in.far_q.defined()) {
                block.far_q = in.far_q.slice(2, begin, end);
                block.far_k = in.far_k.slice(2, 0, visible);
            }
            const auto corner = by_place ? dense_bias(block.bias, end - begin, visible, mask_options(in, type))
                                         : mask.slice(2, kRowBlock - (end - begin)).slice(3, columns - visible);
            out.slice(2, begin, end).copy_(attend(block, corner));
        }
        return out;
    }

    at::Tensor mask_;
    at::Tensor slopes_;
    at::ScalarType bias_type_ = at::kFloat;  // of the last layer that had a bias
    bool kept_table_ = false;                // mask_ is that of a table
    std::int64_t window_ = 0;
};

std::string refuses(const AttentionRequest& request) {
    if (auto refusal = refuses_attend(request); !refusal.empty()) return refusal;
    if (request.bias.has(BiasPart::channel))
        return "the position method scales each channel of a score, and sdpa's mask is added to whole scores";
    return {};
}

}  // namespace

LONGBOW_REGISTER_ATTENTION(
    {.name = "sdpa",
     .help = "PyTorch's scaled_dot_product_attention, with a dense mask where there is a bias; serves every term of it",
     .preference = 1,
     .refuses = refuses,
     .make = [](const AttentionRequest&) { return std::make_unique<SdpaAttention>(); }});

}  // namespace longbow
