// Makes calls of the fused operator, and what the formula says of them, for tests on every instruction set that this
// CPU has.
#pragma once

#include <ATen/Context.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "attention/kernels/cpu/attention_cpu.h"
#include "attention/kernels/philox.h"
#include "longbow/attention/fused_attention.h"

namespace longbow {

inline constexpr double kInf = std::numeric_limits<double>::infinity();

struct Shape {
    std::int64_t batch, heads, rows, columns, head_dim;
    std::int64_t kv_heads = 0;  // 0: as many as heads
};

using Case = FusedAttentionCall;

// Makes views of one packed buffer if the lengths are the same, as the model passes them; otherwise of buffers [batch,
// length, heads, head_dim].
inline Case make_case(const Shape& s, at::ScalarType type = at::kFloat) {
    Case c;
    const auto kv_heads = s.kv_heads > 0 ? s.kv_heads : s.heads;
    if (s.rows == s.columns) {
        const auto packed = torch::randn({s.batch, s.rows, s.heads + 2 * kv_heads, s.head_dim}).to(type);
        const auto parts = packed.transpose(1, 2).split_with_sizes({s.heads, kv_heads, kv_heads}, 1);
        c.q = parts[0];
        c.k = parts[1];
        c.v = parts[2];
    } else {
        c.q = torch::randn({s.batch, s.rows, s.heads, s.head_dim}).to(type).transpose(1, 2);
        c.k = torch::randn({s.batch, kv_heads, s.columns, s.head_dim}).to(type);
        c.v = torch::randn({s.batch, kv_heads, s.columns, s.head_dim}).to(type);
    }
    return c;
}

inline at::Tensor geometric_slopes(std::int64_t heads) {
    return torch::pow(2.0, torch::arange(1, heads + 1, torch::kFloat).mul(-8.0 / static_cast<double>(heads)));
}

// Returns running sums of the logarithms of gates with these logits, in fp64.
inline at::Tensor sums_of_gates(const at::Tensor& logits) {
    return torch::log_sigmoid(logits.to(torch::kDouble)).cumsum(-1);
}

// Returns the mask of philox.h as a tensor [batch, heads, rows, columns] of 0 and 256 / keep.
inline at::Tensor dropout_mask(const Case& c) {
    const int keep = static_cast<int>(std::lround((1.0 - c.dropout) * 256.0));
    auto mask = torch::zeros({c.q.size(0), c.q.size(1), c.q.size(2), c.k.size(2)}, torch::kDouble);
    auto m = mask.accessor<double, 4>();
    for (std::int64_t b = 0; b < mask.size(0); ++b) {
        for (std::int64_t h = 0; h < mask.size(1); ++h) {
            for (std::int64_t i = 0; i < mask.size(2); ++i) {
                for (std::int64_t j = 0; j < mask.size(3); ++j) {
                    const auto block = dropout_bytes(static_cast<std::uint64_t>(c.dropout_seed),
                                                     static_cast<std::uint64_t>(c.dropout_offset),
                                                     static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(j / 16),
                                                     static_cast<std::uint32_t>(b * mask.size(1) + h));
                    m[b][h][i][j] = dropout_keeps(block, static_cast<int>(j % 16), keep) ? 256.0 / keep : 0.0;
                }
            }
        }
    }
    return mask;
}

// Computes (out, lse) by the formula, in fp64 and differentiable.
inline std::pair<at::Tensor, at::Tensor> expected(const Case& c) {
    const auto rows = c.q.size(2);
    const auto columns = c.k.size(2);
    const auto position = torch::arange(columns - rows, columns).unsqueeze(1);
    const auto key = torch::arange(columns);
    const auto distance = position.sub(key);
    auto apart = distance.abs().to(torch::kDouble);
    if (c.positions) {
        const auto positions = c.positions->to(torch::kDouble);
        apart = positions.index({position.clamp_min(0).flatten()}).unsqueeze(1).sub(positions).abs();
    }
    const auto of_each_head = [&](const at::Tensor& t) {
        return t.to(torch::kDouble).repeat_interleave(c.q.size(1) / t.size(1), 1);
    };
    auto scores = torch::matmul(c.q.to(torch::kDouble), of_each_head(c.k).transpose(2, 3))
                      .mul(c.scale.value_or(1.0 / std::sqrt(static_cast<double>(c.q.size(3)))));
    if (c.slopes) {
        auto slopes = c.slopes->to(torch::kDouble);
        slopes = slopes.dim() == 1 ? slopes.view({1, -1, 1, 1}) : slopes.view({slopes.size(0), slopes.size(1), 1, 1});
        scores = scores.sub(slopes.mul(apart));
    }
    if (c.table) {
        scores = scores.add(c.table->to(torch::kDouble)
                                .index_select(1, apart.to(torch::kLong).clamp_max(c.table->size(1) - 1).flatten())
                                .view({1, -1, rows, columns}));
    }
    if (c.query_slopes) scores = scores.sub(c.query_slopes->to(torch::kDouble).unsqueeze(3).mul(apart));
    if (c.key_slopes) scores = scores.sub(c.key_slopes->to(torch::kDouble).unsqueeze(2).mul(apart));
    if (c.row) scores = scores.add(c.row->to(torch::kDouble).unsqueeze(3));
    if (c.column) scores = scores.add(c.column->to(torch::kDouble).unsqueeze(2));
    auto hidden = c.causal ? distance.lt(0) : torch::zeros_like(distance, torch::kBool);
    if (c.window > 0) {
        hidden = hidden.logical_or(distance.ge(c.window).logical_and(key.ge(c.sinks)));
    }
    hidden = hidden.view({1, 1, rows, columns});
    if (c.lengths) {
        const auto length = c.lengths->view({-1, 1, 1, 1});
        hidden =
            hidden.logical_or(key.view({1, 1, 1, -1}).ge(length)).logical_or(position.view({1, 1, -1, 1}).ge(length));
    }
    const auto empty = hidden.all(3, true);
    // Rows that see nothing get finite scores and weights of 0, so that no gradient is NaN.
    scores = scores.masked_fill(hidden, -kInf).masked_fill(empty, 0.0);
    if (c.sink_logit) {
        const auto sink = c.sink_logit->to(torch::kDouble).view({1, -1, 1, 1});
        scores = torch::cat({scores, sink.expand({scores.size(0), -1, rows, 1})}, 3);
    }
    const auto lse = scores.logsumexp(3).masked_fill(empty.squeeze(3), -kInf);
    auto weights = scores.softmax(3).narrow(3, 0, columns).masked_fill(empty, 0.0);
    if (c.dropout > 0.0) {
        weights = weights.mul(dropout_mask(c));
    }
    return {torch::matmul(weights, of_each_head(c.v)), lse};
}

// NaN counts as infinitely far.
inline double largest(const at::Tensor& t) {
    return t.numel() == 0 ? 0.0 : t.isnan().any().item<bool>() ? kInf : t.abs().max().item<double>();
}
// The difference relative to the largest wanted value. A largest value that is 0 but for rounding counts as 1: the
// score of a query's only key, for example, has no gradient.
inline double relative_difference(const at::Tensor& found, const at::Tensor& wanted) {
    const double scale = largest(wanted.to(torch::kDouble));
    return largest(found.to(torch::kDouble) - wanted.to(torch::kDouble)) / (scale < 1e-9 ? 1.0 : std::max(scale, 1e-2));
}

inline double rounding_of(at::ScalarType type) {
    return type == at::kBFloat16 ? 0x1p-8 : type == at::kHalf ? 0x1p-11 : 0.0;
}

inline void expect_equals_formula(Case c) {
    const auto type = c.q.scalar_type();
    std::vector<at::Tensor> inputs;
    for (auto* t : {&c.q, &c.k, &c.v}) {
        *t = t->detach().requires_grad_(true);
        inputs.push_back(*t);
    }
    for (auto* t : {&c.slopes, &c.table, &c.query_slopes, &c.key_slopes, &c.row, &c.column, &c.sink_logit}) {
        if (*t) {
            *t = (*t)->detach().requires_grad_(true);
            inputs.push_back(**t);
        }
    }
    const auto [out, lse] = fused_attention(c);
    const auto [wanted, wanted_lse] = expected(c);
    ASSERT_EQ(out.sizes(), c.q.sizes());
    EXPECT_EQ(out.scalar_type(), type);
    EXPECT_EQ(out.stride(2), c.q.size(1) * c.q.size(3)) << "heads are merged by a view";
    EXPECT_LT(largest(out.to(torch::kDouble) - wanted), 2e-6 + 2 * rounding_of(type) * largest(wanted));
    EXPECT_TRUE(lse.isinf().equal(wanted_lse.isinf()));
    EXPECT_LT(largest((lse - wanted_lse).masked_fill(wanted_lse.isinf(), 0.0)), 3e-6);

    const auto weight = torch::randn(c.q.sizes()).to(type);
    const auto found = torch::autograd::grad({out}, inputs, {weight}, {}, false, true);
    const auto gradients = torch::autograd::grad({wanted}, inputs, {weight.to(torch::kDouble)}, {}, false, true);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        ASSERT_TRUE(found[i].defined());
        ASSERT_EQ(found[i].sizes(), inputs[i].sizes());
        EXPECT_EQ(found[i].scalar_type(), inputs[i].scalar_type());
        // The gradient of the bias is a small difference of large sums; those of a query's term, which is 0
        // but for a sink logit, and of the sink logit are compared with the size of the sums' terms.
        const double tolerance = (i < 3 ? 2e-6 : 2e-5) + 6 * rounding_of(type);
        if ((c.row && inputs[i].is_same(*c.row)) || (c.sink_logit && inputs[i].is_same(*c.sink_logit))) {
            EXPECT_LT(largest(found[i] - gradients[i]), tolerance * std::max(1.0, largest(gradients[i])));
        } else {
            EXPECT_LT(relative_difference(found[i], gradients[i]), tolerance) << "gradient " << i;
        }
    }
}

// Runs a test with one instruction set. Memory from at::empty, the kernels' scratch included, is filled with NaN, so
// that a read before the first write shows.
class Instructions : public testing::TestWithParam<const char*> {
protected:
    void SetUp() override {
        torch::manual_seed(3);
        at::globalContext().setDeterministicAlgorithms(true, true);
        at::globalContext().setDeterministicFillUninitializedMemory(true);
        if (!longbow_attention_cpu_use_instructions(GetParam())) GTEST_SKIP() << "this CPU has not got " << GetParam();
    }
    void TearDown() override {
        longbow_attention_cpu_use_instructions(nullptr);
        at::globalContext().setDeterministicAlgorithms(false, false);
    }
};

}  // namespace longbow
