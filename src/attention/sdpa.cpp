// Implements the back-end over ATen's scaled_dot_product_attention. With a bias that needs a dense mask [1, heads, Lq,
// Lk]; this file builds the mask seldom and keeps it small:
// - A bias depends on i - j alone, so the mask of fewer rows or keys is the bottom right corner of a larger one. One
//   mask is kept between calls, with spare columns so that decoding token by token does not rebuild it each time.
// - Without gradients, long queries go in blocks of rows that see only the keys up to their end. Memory is then O(Lk)
//   instead of O(Lk^2), and the half of the work above the diagonal, which a masked call would compute, is left out.
// On a GPU, ATen's kernels take no fp32 mask beside 16-bit queries: the memory-efficient one refuses it, cuDNN's (up to
// LibTorch 2.11 at least) reads it as if it were of the queries' type, and the formula in steps needs every score in
// fp32. There the mask is rounded, and rounded_bias() says so (docs/attention.md gives the error).
#include <ATen/autocast_mode.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/scaled_dot_product_attention.h>

#include <algorithm>
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
        if (bias.table.defined() && bias.table.requires_grad()) {
            scratch.dense = dense_bias(bias, length, length, query.dtype(mask_type(query)));
        }
    }

    at::Tensor forward(const AttentionInput& in) override {
        // Autocast would round the mask to 8 bits.
        const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
        const auto rows = in.q.size(2);
        const auto columns = in.k.size(2);
        if (in.bias.kind == BiasSpec::Kind::none && rows == columns) {
            return at::scaled_dot_product_attention(in.q, in.k, in.v, std::nullopt, in.dropout, /*is_causal=*/true);
        }
        const auto type = mask_type(in.q.options());
        // Without a bias the mask is 0 or -inf, which every type holds. Layers may have different biases.
        if (in.bias.kind != BiasSpec::Kind::none) bias_type_ = type;
        const bool differentiable = in.bias.table.defined() && in.bias.table.requires_grad();
        const bool any_grad = differentiable || in.q.requires_grad() || in.k.requires_grad() || in.v.requires_grad();
        if (any_grad && at::GradMode::is_enabled()) {
            const auto mask = differentiable ? trained_mask(in, type) : kept_mask(in, rows, columns, type);
            return at::scaled_dot_product_attention(in.q, in.k, in.v, mask, in.dropout);
        }
        if (rows <= kRowBlock) {
            return at::scaled_dot_product_attention(in.q, in.k, in.v, kept_mask(in, rows, columns, type), in.dropout);
        }
        return blocks_of_rows(in, type);
    }

    [[nodiscard]] std::string rounded_bias() const override {
        return bias_type_ == at::kBFloat16 ? "bf16" : bias_type_ == at::kHalf ? "fp16" : "";
    }

    // ATen computes its formula step by step where none of its kernels serves: on a CPU with dropout, or with a learned
    // mask.
    [[nodiscard]] AttentionMemory memory(const AttentionRequest& request, const AttentionPass& pass) const override {
        const AttentionSizes sizes(request, pass);
        const bool gpu = on_gpu(request);
        AttentionMemory memory;
        if (!gpu && (request.dropout > 0 || request.bias_needs_grad)) {
            memory = step_by_step_memory(request, pass);
        } else {
            memory.kept = sizes.rows * sizeof(float);
            memory.backward = sizes.qkv * narrow_bytes(pass);
            if (request.bias_needs_grad)
                // This is the mask's gradient, before its sum over the batch.
                memory.backward += sizes.scores * narrow_bytes(pass);
        }
        if (request.bias == BiasSpec::Kind::none) return memory;
        const auto heads = static_cast<double>(pass.heads), square = static_cast<double>(pass.length * pass.length);
        const double mask = square * heads * (gpu ? narrow_bytes(pass) : wide_bytes(pass));
        // For a learned mask: also its gradient, and what its derivative keeps (the distances, and the mask of future
        // keys).
        constexpr double kDistance = sizeof(std::int64_t) + sizeof(bool);
        memory.masks = request.bias_needs_grad ? 2 * mask + kDistance * square : mask;
        return memory;
    }

private:
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

    // Returns the last `rows` rows and `columns` columns of a mask without gradient. The mask is kept as long as its
    // bias is the same.
    at::Tensor kept_mask(const AttentionInput& in, std::int64_t rows, std::int64_t columns, at::ScalarType type) {
        const bool is_table = in.bias.kind == BiasSpec::Kind::table;
        auto& mask = is_table && in.scratch != nullptr ? in.scratch->dense : mask_;
        const bool same_bias = (is_table && in.scratch != nullptr) ||
                               (!is_table && in.bias.kind == kind_ && in.bias.slopes.is_same(slopes_));
        if (!mask.defined() || !same_bias || mask.scalar_type() != type || mask.device() != in.q.device() ||
            mask.size(2) < rows || mask.size(3) < columns) {
            // Whole windows (training, evaluation) get a mask of exactly their size. Queries shorter than their keys
            // mean a decoder, which will call again with one key more each time.
            const auto kept_columns = rows == columns ? columns : columns + kSpareColumns;
            mask = dense_bias(in.bias, rows, kept_columns, mask_options(in, type));
            if (&mask == &mask_) {
                kind_ = in.bias.kind;
                slopes_ = in.bias.slopes;
            }
        }
        return mask.slice(2, mask.size(2) - rows).slice(3, mask.size(3) - columns);
    }

    at::Tensor blocks_of_rows(const AttentionInput& in, at::ScalarType type) {
        const auto rows = in.q.size(2);
        const auto columns = in.k.size(2);
        const auto mask = kept_mask(in, kRowBlock, columns, type);
        // Laid out [batch, length, heads, head_dim] like the result of ATen's own kernel, so that the caller merges the
        // heads without a copy.
        auto out = at::empty({in.q.size(0), rows, in.q.size(1), in.q.size(3)}, in.q.options()).transpose(1, 2);
        for (std::int64_t begin = 0; begin < rows; begin += kRowBlock) {
            const auto end = std::min(begin + kRowBlock, rows);
            const auto visible = columns - rows + end;
            const auto corner = mask.slice(2, kRowBlock - (end - begin)).slice(3, columns - visible);
            out.slice(2, begin, end)
                .copy_(at::scaled_dot_product_attention(in.q.slice(2, begin, end), in.k.slice(2, 0, visible),
                                                        in.v.slice(2, 0, visible), corner, in.dropout));
        }
        return out;
    }

    at::Tensor mask_;
    at::Tensor slopes_;
    at::ScalarType bias_type_ = at::kFloat;  // of the last layer that had a bias
    BiasSpec::Kind kind_ = BiasSpec::Kind::none;
};

}  // namespace

LONGBOW_REGISTER_ATTENTION(
    {.name = "sdpa",
     .help = "PyTorch's scaled_dot_product_attention, with a dense mask where there is a bias; serves everything",
     .preference = 1,
     .make = [](const AttentionRequest&) { return std::make_unique<SdpaAttention>(); }});

}  // namespace longbow
