// The fused operator against the reference back-end in fp64, on every instruction set that this CPU has.
#include "longbow/attention/fused_attention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/utils.h>
#include <torch/types.h>

#include <cmath>
#include <limits>

#include "attention/kernels/cpu/attention_cpu.h"
#include "attention/kernels/philox.h"

namespace longbow {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

struct Shape {
    std::int64_t batch, heads, rows, columns, head_dim;
};

struct Case {
    at::Tensor q, k, v;  // [batch, heads, length, head_dim]
    std::optional<at::Tensor> slopes, table, lengths;
    FusedAttentionOptions options;
};

// Views of one packed buffer when the lengths are the same, as the model hands them; else of buffers [batch, length, heads, head_dim].
Case make_case(const Shape& s, at::ScalarType type = at::kFloat) {
    Case c;
    if (s.rows == s.columns) {
        const auto parts = torch::randn({s.batch, s.rows, 3, s.heads, s.head_dim}).to(type).unbind(2);
        c.q = parts[0].transpose(1, 2);
        c.k = parts[1].transpose(1, 2);
        c.v = parts[2].transpose(1, 2);
    } else {
        c.q = torch::randn({s.batch, s.rows, s.heads, s.head_dim}).to(type).transpose(1, 2);
        c.k = torch::randn({s.batch, s.heads, s.columns, s.head_dim}).to(type);
        c.v = torch::randn({s.batch, s.heads, s.columns, s.head_dim}).to(type);
    }
    return c;
}

at::Tensor geometric_slopes(std::int64_t heads) {
    return torch::pow(2.0, torch::arange(1, heads + 1, torch::kFloat).mul(-8.0 / static_cast<double>(heads)));
}

// The mask of philox.h as a tensor [batch, heads, rows, columns] of 0 and 256 / keep.
at::Tensor dropout_mask(const Case& c) {
    const int keep = static_cast<int>(std::lround((1.0 - c.options.dropout) * 256.0));
    auto mask = torch::zeros({c.q.size(0), c.q.size(1), c.q.size(2), c.k.size(2)}, torch::kDouble);
    auto m = mask.accessor<double, 4>();
    for (std::int64_t b = 0; b < mask.size(0); ++b) {
        for (std::int64_t h = 0; h < mask.size(1); ++h) {
            for (std::int64_t i = 0; i < mask.size(2); ++i) {
                for (std::int64_t j = 0; j < mask.size(3); ++j) {
                    const auto block = dropout_bytes(static_cast<std::uint64_t>(c.options.dropout_seed),
                                                     static_cast<std::uint64_t>(c.options.dropout_offset), static_cast<std::uint32_t>(i),
                                                     static_cast<std::uint32_t>(j / 16), static_cast<std::uint32_t>(b * mask.size(1) + h));
                    m[b][h][i][j] = dropout_keeps(block, static_cast<int>(j % 16), keep) ? 256.0 / keep : 0.0;
                }
            }
        }
    }
    return mask;
}

// The formula in fp64, differentiable. -> out, lse.
std::pair<at::Tensor, at::Tensor> expected(const Case& c) {
    const auto rows = c.q.size(2);
    const auto columns = c.k.size(2);
    const auto position = torch::arange(columns - rows, columns).unsqueeze(1);
    const auto key = torch::arange(columns);
    const auto distance = position.sub(key);
    auto scores = torch::matmul(c.q.to(torch::kDouble), c.k.to(torch::kDouble).transpose(2, 3))
                      .mul(c.options.scale.value_or(1.0 / std::sqrt(static_cast<double>(c.q.size(3)))));
    if (c.slopes) {
        auto slopes = c.slopes->to(torch::kDouble);
        slopes = slopes.dim() == 1 ? slopes.view({1, -1, 1, 1}) : slopes.view({slopes.size(0), slopes.size(1), 1, 1});
        scores = scores.sub(slopes.mul(distance.abs()));
    }
    if (c.table) {
        scores = scores.add(c.table->to(torch::kDouble)
                                .index_select(1, distance.abs().clamp_max(c.table->size(1) - 1).flatten())
                                .view({1, -1, rows, columns}));
    }
    auto hidden = c.options.causal ? distance.lt(0) : torch::zeros_like(distance, torch::kBool);
    if (c.options.window > 0) {
        hidden = hidden.logical_or(distance.ge(c.options.window));
    }
    hidden = hidden.view({1, 1, rows, columns});
    if (c.lengths) {
        const auto length = c.lengths->view({-1, 1, 1, 1});
        hidden = hidden.logical_or(key.view({1, 1, 1, -1}).ge(length)).logical_or(position.view({1, 1, -1, 1}).ge(length));
    }
    const auto empty = hidden.all(3, true);
    // Rows that see nothing: any finite scores, and weights of zero, so that no gradient is NaN.
    scores = scores.masked_fill(hidden, -kInf).masked_fill(empty, 0.0);
    const auto lse = scores.logsumexp(3).masked_fill(empty.squeeze(3), -kInf);
    auto weights = scores.softmax(3).masked_fill(empty, 0.0);
    if (c.options.dropout > 0.0) {
        weights = weights.mul(dropout_mask(c));
    }
    return {torch::matmul(weights, c.v.to(torch::kDouble)), lse};
}

std::tuple<at::Tensor, at::Tensor> fused(const Case& c) { return fused_attention(c.q, c.k, c.v, c.slopes, c.table, c.lengths, c.options); }

// NaN counts as infinitely far.
double largest(const at::Tensor& t) { return t.numel() == 0 ? 0.0 : t.isnan().any().item<bool>() ? kInf : t.abs().max().item<double>(); }
// To the largest; to 1 where that is 0 but for rounding (the score of a query's only key has no gradient).
double relative_difference(const at::Tensor& found, const at::Tensor& wanted) {
    const double scale = largest(wanted.to(torch::kDouble));
    return largest(found.to(torch::kDouble) - wanted.to(torch::kDouble)) / (scale < 1e-9 ? 1.0 : std::max(scale, 1e-2));
}

double rounding_of(at::ScalarType type) { return type == at::kBFloat16 ? 0x1p-8 : type == at::kHalf ? 0x1p-11 : 0.0; }

void expect_equals_formula(Case c) {
    const auto type = c.q.scalar_type();
    std::vector<at::Tensor> inputs;
    for (auto* t : {&c.q, &c.k, &c.v}) {
        *t = t->detach().requires_grad_(true);
        inputs.push_back(*t);
    }
    for (auto* t : {&c.slopes, &c.table}) {
        if (*t) {
            *t = (*t)->detach().requires_grad_(true);
            inputs.push_back(**t);
        }
    }
    const auto [out, lse] = fused(c);
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
        // The bias's gradient is a small difference of large sums.
        const double tolerance = i < 3 ? 2e-6 : 2e-5;
        EXPECT_LT(relative_difference(found[i], gradients[i]), tolerance + 6 * rounding_of(type)) << "gradient " << i;
    }
}

class Instructions : public testing::TestWithParam<const char*> {
protected:
    void SetUp() override {
        torch::manual_seed(3);
        if (!longbow_attention_cpu_use_instructions(GetParam())) GTEST_SKIP() << "this CPU has not got " << GetParam();
    }
    void TearDown() override { longbow_attention_cpu_use_instructions(nullptr); }
};

TEST_P(Instructions, EqualTheFormulaForEveryHeadSize) {
    for (const std::int64_t head_dim : {8, 32, 40, 64, 72, 80, 96, 128, 256}) {
        SCOPED_TRACE(head_dim);
        auto c = make_case({1, 2, 97, 97, head_dim});
        c.slopes = geometric_slopes(2);
        expect_equals_formula(c);
    }
}

TEST_P(Instructions, EqualTheFormulaForEveryShape) {
    // Square ones around the size of a block, a decoder's single query, continued windows, more queries than keys.
    const std::vector<std::pair<std::int64_t, std::int64_t>> lengths = {{1, 1},  {2, 2},   {63, 63},  {64, 64},  {65, 65},  {200, 200},
                                                                        {1, 90}, {3, 130}, {64, 100}, {70, 200}, {200, 70}, {129, 128}};
    for (const auto& [rows, columns] : lengths) {
        for (const bool causal : {true, false}) {
            SCOPED_TRACE(testing::Message() << rows << " x " << columns << (causal ? " causal" : ""));
            auto c = make_case({2, 3, rows, columns, 32});
            c.slopes = geometric_slopes(3);
            c.options.causal = causal;
            expect_equals_formula(c);
        }
    }
}

TEST_P(Instructions, EqualTheFormulaForEveryBias) {
    for (const std::int64_t columns : {150, 210}) {
        for (const bool causal : {true, false}) {
            SCOPED_TRACE(testing::Message() << columns << (causal ? " causal" : ""));
            auto c = make_case({2, 3, 150, columns, 40});
            c.options.causal = causal;
            expect_equals_formula(c);
            c.slopes = torch::tensor({0.5, 0.0, -0.05}, torch::kFloat);
            expect_equals_formula(c);
            c.slopes = torch::rand({2, 3});
            expect_equals_formula(c);
            c.slopes = std::nullopt;
            for (const std::int64_t columns_of_table : {2, 64, 65, 129, 400}) {
                SCOPED_TRACE(columns_of_table);
                c.table = torch::randn({3, columns_of_table});
                expect_equals_formula(c);
            }
        }
    }
}

TEST_P(Instructions, WindowScaleAndRaggedLengths) {
    for (const bool causal : {true, false}) {
        SCOPED_TRACE(causal);
        auto c = make_case({4, 2, 140, 140, 32});
        c.slopes = geometric_slopes(2);
        c.options.causal = causal;
        c.options.window = 30;
        c.options.scale = 0.3;
        expect_equals_formula(c);
        c.options.window = 0;
        c.lengths = torch::tensor({140, 0, 77, 1});
        expect_equals_formula(c);
        c = make_case({3, 2, 90, 150, 32});
        c.options.causal = causal;
        c.lengths = torch::tensor({150, 61, 20}, torch::kInt);
        expect_equals_formula(c);
    }
}

TEST_P(Instructions, WhatIsBeyondTheLengthsIsNeverRead) {
    auto c = make_case({2, 2, 100, 100, 32});
    c.lengths = torch::tensor({100, 40});
    for (const auto* t : {&c.q, &c.k, &c.v}) {
        t->select(0, 1).slice(1, 40).fill_(std::numeric_limits<float>::quiet_NaN());
    }
    for (auto* t : {&c.q, &c.k, &c.v}) {
        *t = t->detach().requires_grad_(true);
    }
    for (const bool causal : {true, false}) {
        c.options.causal = causal;
        const auto out = std::get<0>(fused(c));
        EXPECT_FALSE(out.isnan().any().item<bool>());
        EXPECT_EQ(largest(out.select(0, 1).slice(1, 40)), 0.0);
        for (const auto& gradient : torch::autograd::grad({out}, {c.q, c.k, c.v}, {torch::ones_like(out)})) {
            EXPECT_FALSE(gradient.isnan().any().item<bool>());
            EXPECT_EQ(largest(gradient.select(0, 1).slice(1, 40)), 0.0);
        }
    }
}

TEST_P(Instructions, HalfPrecision) {
    for (const auto type : {at::kBFloat16, at::kHalf}) {
        for (const std::int64_t head_dim : {32, 72}) {
            SCOPED_TRACE(testing::Message() << toString(type) << " " << head_dim);
            auto c = make_case({2, 2, 150, 150, head_dim}, type);
            c.slopes = geometric_slopes(2);
            expect_equals_formula(c);
            c = make_case({1, 2, 5, 100, head_dim}, type);
            c.table = torch::randn({2, 20});
            expect_equals_formula(c);
        }
    }
}

TEST_P(Instructions, DropoutIsTheDeclaredFunctionForwardAndBackward) {
    auto c = make_case({2, 2, 100, 150, 32});
    c.slopes = geometric_slopes(2);
    c.options.dropout = 0.3;
    c.options.dropout_seed = 1234567890123;
    c.options.dropout_offset = 5;
    expect_equals_formula(c);
}

TEST_P(Instructions, NotANumberIsNotHidden) {
    for (const std::int64_t row : {0, 70}) {
        auto c = make_case({1, 1, 100, 100, 32});
        c.slopes = geometric_slopes(1);
        c.q.select(2, row).fill_(std::numeric_limits<float>::quiet_NaN());
        const auto out = std::get<0>(fused(c));
        EXPECT_TRUE(out.select(2, row).isnan().all().item<bool>()) << row;
        EXPECT_EQ(out.isnan().sum().item<std::int64_t>(), 32) << row;
    }
}

TEST_P(Instructions, SkippingChangesNothingThatCounts) {
    for (const double spread : {1.0, 3.0}) {
        SCOPED_TRACE(spread);
        auto c = make_case({2, 4, 600, 600, 32});
        for (auto* t : {&c.q, &c.k, &c.v}) {
            *t = t->mul(t == &c.v ? 1.0 : spread).detach().requires_grad_(true);
        }
        c.slopes = torch::tensor({1.0, 0.5, 0.1, 0.01}, torch::kFloat);
        const auto fraction = visited_fraction(c.q, c.k, c.slopes, c.options);
        EXPECT_LT(fraction.min().item<double>(), 0.5);
        const auto weight = torch::randn(c.q.sizes());
        const auto run = [&](double threshold) {
            c.options.skip_threshold = threshold;
            const auto [out, lse] = fused(c);
            auto all = torch::autograd::grad({out}, {c.q, c.k, c.v}, {weight});
            all.push_back(out.detach());
            return all;
        };
        const auto with = run(-1.0);
        const auto without = run(kInf);
        const auto row_difference = (with[3] - without[3]).abs().amax(3).div(without[3].abs().amax(3));
        EXPECT_LE(largest(row_difference), 1e-7);
        for (int i = 0; i < 3; ++i) {
            EXPECT_LE(relative_difference(with[i], without[i]), 2e-7) << i;
        }
    }
}

TEST_P(Instructions, SkippingLeavesOutWhatItsThresholdSays) {
    // All scores are the same before the bias: the bound is tight, and a threshold of 2 leaves out up to exp(-2) of a row's weight.
    auto c = make_case({1, 2, 600, 600, 32});
    c.q = torch::ones_like(c.q);
    c.k = torch::ones_like(c.k);
    c.slopes = torch::tensor({0.5, 0.1}, torch::kFloat);
    const auto run = [&](double threshold) {
        c.options.skip_threshold = threshold;
        return std::get<0>(fused(c));
    };
    const auto whole = run(kInf);
    EXPECT_LE(largest((run(-1.0) - whole).abs().amax(3).div(whole.abs().amax(3))), 1e-7);
    const double careless = relative_difference(run(2.0), whole);
    EXPECT_GT(careless, 1e-4);
    EXPECT_LT(careless, 2 * std::exp(-2.0));
}

TEST_P(Instructions, BitsDoNotDependOnTheThreads) {
    const int before = torch::get_num_threads();
    const auto bits = [](const Case& c, const at::Tensor& weight) {
        std::vector<at::Tensor> inputs = {c.q, c.k, c.v};
        for (const auto* t : {&c.slopes, &c.table}) {
            if (*t) inputs.push_back(**t);
        }
        const auto out = std::get<0>(fused(c));
        auto all = torch::autograd::grad({out}, inputs, {weight});
        all.push_back(out.detach());
        return all;
    };
    // One head: dq and dk, dv go through the tiles apart; many heads: each thread takes whole ones.
    for (const std::int64_t heads : {1, 2, 5}) {
        auto c = make_case({1, heads, 330, 330, 32});
        for (auto* t : {&c.q, &c.k, &c.v}) {
            *t = t->detach().requires_grad_(true);
        }
        const auto weight = torch::randn(c.q.sizes());
        for (const bool table : {false, true}) {
            c.slopes = table ? std::nullopt : std::optional<at::Tensor>(geometric_slopes(heads).requires_grad_(true));
            c.table = table ? std::optional<at::Tensor>(torch::randn({heads, 100}).requires_grad_(true)) : std::nullopt;
            torch::set_num_threads(1);
            const auto one = bits(c, weight);
            for (const int threads : {2, 3}) {
                torch::set_num_threads(threads);
                const auto more = bits(c, weight);
                for (std::size_t i = 0; i < one.size(); ++i) {
                    EXPECT_TRUE(one[i].equal(more[i])) << heads << " heads, " << threads << " threads, tensor " << i;
                }
            }
        }
    }
    torch::set_num_threads(before);
}

INSTANTIATE_TEST_SUITE_P(Cpu, Instructions, testing::Values("portable", "avx2", "avx512", "avx512_bf16"),
                         [](const auto& chosen) { return std::string(chosen.param); });

TEST(FusedAttention, GradientsOfOnePackedBufferAreViewsOfOneBuffer) {
    auto c = make_case({2, 3, 50, 50, 16});
    for (auto* t : {&c.q, &c.k, &c.v}) {
        t->requires_grad_(true);
    }
    const auto out = std::get<0>(fused(c));
    const auto gradients = torch::autograd::grad({out}, {c.q, c.k, c.v}, {torch::randn(out.sizes())});
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(gradients[i].storage().is_alias_of(gradients[0].storage()));
        EXPECT_EQ(gradients[i].strides(), c.q.strides());
        EXPECT_EQ(gradients[i].storage_offset(), i * 3 * 16);
    }
}

TEST(FusedAttention, DropoutKeepsItsShareOfTheWeights) {
    auto c = make_case({4, 4, 64, 64, 8});
    c.q = torch::zeros_like(c.q);
    c.v = torch::ones_like(c.v);
    c.options.causal = false;
    c.options.dropout = 0.25;
    const auto out = std::get<0>(fused(c)).select(3, 0);  // kept keys / 64 / 0.75
    EXPECT_NEAR(out.mean().item<double>(), 1.0, 0.01);
    EXPECT_NEAR(out.var().item<double>(), 0.25 / 0.75 / 64, 0.25 / 0.75 / 64 * 0.2);
    const auto again = std::get<0>(fused(c)).select(3, 0);
    EXPECT_TRUE(again.equal(out));
    c.options.dropout_seed = 1;
    EXPECT_FALSE(std::get<0>(fused(c)).select(3, 0).equal(out));
}

TEST(FusedAttention, VisitedFractionCountsBlocksBelowTheDiagonal) {
    const auto q = torch::zeros({1, 3, 64 * 8, 16});  // all scores are 0: the slope alone decides
    const auto slopes = torch::tensor({1.0, 0.0, -1.0}, torch::kFloat);
    FusedAttentionOptions options;
    const auto fraction = visited_fraction(q, q, slopes, options);
    // Slope 1: what is 24 ln 2 - ln(1 - 1/e) = 17.1 or more away is left out: each block visits itself and the one before.
    EXPECT_NEAR(fraction[0][0].item<double>(), 15.0 / 36.0, 1e-6);
    EXPECT_EQ(fraction[0][1].item<double>(), 1.0);
    EXPECT_EQ(fraction[0][2].item<double>(), 1.0);
    options.skip_threshold = kInf;
    EXPECT_EQ(visited_fraction(q, q, slopes, options).min().item<double>(), 1.0);
}

TEST(FusedAttention, ArgumentsThatCannotBeServedAreNamed) {
    const auto message = [](const Case& c) -> std::string {
        try {
            fused(c);
        } catch (const c10::ValueError& error) {
            return error.what_without_backtrace();
        }
        return "no error";
    };
    const auto good = make_case({2, 3, 10, 10, 16});
    const auto with = [&](const auto& change) {
        Case c = good;
        change(c);
        return message(c);
    };
    EXPECT_EQ(message(good), "no error");
    EXPECT_THAT(message(make_case({2, 3, 10, 10, 12})), testing::HasSubstr("head_dim must be a multiple of 8"));
    EXPECT_THAT(with([](Case& c) { c.q = c.q.to(torch::kDouble); }), testing::HasSubstr("fp32, bf16 and fp16 are served"));
    EXPECT_THAT(with([](Case& c) { c.v = c.v.to(torch::kHalf); }), testing::HasSubstr("v is"));
    EXPECT_THAT(with([](Case& c) { c.v = c.v.slice(2, 1); }), testing::HasSubstr("k has 10 rows and v 9"));
    EXPECT_THAT(with([](Case& c) { c.k = c.k.slice(1, 1); }), testing::HasSubstr("batch, heads and head_dim must be the same"));
    EXPECT_THAT(with([](Case& c) { c.slopes = torch::ones({2}); }), testing::HasSubstr("alibi_slopes must be"));
    EXPECT_THAT(with([](Case& c) { c.table = torch::ones({3}); }), testing::HasSubstr("distance_bias must be"));
    EXPECT_THAT(with([](Case& c) { c.lengths = torch::ones({2}); }), testing::HasSubstr("lengths must be integers"));
    EXPECT_THAT(with([](Case& c) { c.options.window = -1; }), testing::HasSubstr("window"));
    EXPECT_THAT(with([](Case& c) { c.options.dropout = 1.0; }), testing::HasSubstr("dropout"));
    EXPECT_THAT(with([](Case& c) { c.options.skip_threshold = 0.0; }), testing::HasSubstr("skip_threshold"));
}

}  // namespace
}  // namespace longbow
