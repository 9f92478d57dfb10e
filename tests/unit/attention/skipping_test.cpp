// Tests what the fused operator skips: nothing that counts, and more than its table of first blocks says.
#include <ATen/core/dispatch/Dispatcher.h>

#include <algorithm>

#include "attention/kernels/attention.h"
#include "attention/kernels/skip_table.h"
#include "fused_case.h"
#include "unit/position/golden.h"

namespace longbow {
namespace {

class Skipping : public Instructions {};

constexpr std::int64_t kBlock = 64;
constexpr std::int64_t kGroup = 6, kGroups = 11;  // rows of queries in a group, and groups in a block

// Returns the blocks at which the forward pass began, [batch, heads, blocks of queries, kGroups].
at::Tensor first_blocks(const Case& c) {
    using Signature = std::tuple<at::Tensor, at::Tensor, at::Tensor>(
        const at::Tensor&, const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&,
        const std::optional<at::Tensor>&, const std::optional<at::Tensor>&, bool, std::int64_t, double, std::int64_t,
        std::int64_t, double, double);
    static const auto op =
        c10::Dispatcher::singleton().findSchemaOrThrow("longbow::fused_attention_forward", "").typed<Signature>();
    const double scale = c.scale.value_or(1.0 / std::sqrt(static_cast<double>(c.q.size(3))));
    return std::get<2>(
        op.call(c.q, c.k, c.v, c.slopes, c.table, c.lengths, c.causal, c.window, 0.0, 0, 0, scale, c.skip_threshold));
}

// Returns the softmax weights in fp64, [batch, heads, rows, columns], without skipping or dropout.
at::Tensor weights_of(const Case& c) {
    const auto rows = c.q.size(2), columns = c.k.size(2);
    const auto distance = torch::arange(columns - rows, columns).unsqueeze(1).sub(torch::arange(columns));
    const auto scores = torch::matmul(c.q.to(torch::kDouble), c.k.to(torch::kDouble).transpose(2, 3))
                            .div(std::sqrt(static_cast<double>(c.q.size(3))));
    return scores.sub(c.slopes->to(torch::kDouble).view({1, -1, 1, 1}).mul(distance))
        .masked_fill(distance.lt(0), -kInf)
        .softmax(3);
}

TEST_P(Skipping, ChangesNothingThatCounts) {
    for (const auto& [spread, columns] :
         std::vector<std::pair<double, std::int64_t>>{{1.0, 600}, {3.0, 600}, {1.0, 631}, {3.0, 631}}) {
        SCOPED_TRACE(testing::Message() << spread << ", " << columns << " keys");
        auto c = make_case({2, 4, 600, columns, 32});
        for (auto* t : {&c.q, &c.k, &c.v}) {
            *t = t->mul(t == &c.v ? 1.0 : spread).detach().requires_grad_(true);
        }
        c.slopes = torch::tensor({1.0, 0.5, 0.1, 0.01}, torch::kFloat);
        const auto fraction = visited_fraction(c);
        EXPECT_LT(fraction.min().item<double>(), 0.5);
        const auto weight = torch::randn(c.q.sizes());
        const auto run = [&](double threshold) {
            c.skip_threshold = threshold;
            const auto [out, lse] = fused_attention(c);
            auto all = torch::autograd::grad({out}, {c.q, c.k, c.v}, {weight});
            all.push_back(out.detach());
            all.push_back(lse.detach());
            return all;
        };
        const auto with = run(-1.0);
        const auto without = run(kInf);
        const auto row_difference = (with[3] - without[3]).abs().amax(3).div(without[3].abs().amax(3));
        EXPECT_LE(largest(row_difference), 1e-7);
        EXPECT_TRUE(with[4].equal(without[4])) << "what is left out would not have changed a row's sum by a bit";
        for (int i = 0; i < 3; ++i) {
            EXPECT_LE(relative_difference(with[i], without[i]), 2e-7) << i;
        }
    }
}

TEST_P(Skipping, ChangesNothingThatCountsWithGates) {
    for (const auto& [spread, columns] : std::vector<std::pair<double, std::int64_t>>{{1.0, 600}, {3.0, 631}}) {
        SCOPED_TRACE(testing::Message() << spread << ", " << columns << " keys");
        auto c = make_case({2, 4, 600, columns, 32, 2});
        for (auto* t : {&c.q, &c.k, &c.v}) {
            *t = t->mul(t == &c.v ? 1.0 : spread).detach().requires_grad_(true);
        }
        const auto sums =
            sums_of_gates(torch::randn({2, 4, columns}).add(torch::tensor({0.0, 1.0, 3.0, -2.0}).view({4, 1})));
        c.row = sums.slice(2, columns - 600).clone().requires_grad_(true);
        c.column = sums.neg().requires_grad_(true);
        for (const bool beside : {false, true}) {
            if (beside) {
                c.slopes = torch::tensor({0.0, 0.01, 0.0, 0.3});
                c.sink_logit = torch::tensor({4.0, 0.0, -2.0, 9.0});
            }
            const auto fraction = visited_fraction(c);
            EXPECT_LT(fraction.min().item<double>(), 0.5);
            EXPECT_LT(fraction.mean().item<double>(), 0.8);
            const auto weight = torch::randn(c.q.sizes());
            const auto run = [&](double threshold) {
                c.skip_threshold = threshold;
                const auto [out, lse] = fused_attention(c);
                auto all = torch::autograd::grad({out}, {c.q, c.k, c.v, *c.column}, {weight});
                all.push_back(out.detach());
                all.push_back(lse.detach());
                return all;
            };
            const auto with = run(-1.0);
            const auto without = run(kInf);
            EXPECT_LE(largest((with[4] - without[4]).abs().amax(3).div(without[4].abs().amax(3))), 1e-7);
            EXPECT_TRUE(with[5].equal(without[5]));
            for (int i = 0; i < 4; ++i) EXPECT_LE(relative_difference(with[i], without[i]), 2e-7) << i;
            c.skip_threshold = -1.0;
        }
    }
}

// KERPLE's power kernels, and a table that falls only at first.
TEST_P(Skipping, ChangesNothingThatCountsWithATable) {
    const auto distance = torch::arange(700, torch::kFloat);
    const auto table = torch::stack({distance.mul(-0.3), distance.pow(1.5).mul(-0.02), distance.sqrt().mul(-2.5),
                                     distance.clamp_max(30.0).mul(-1.0)});
    for (const std::int64_t columns : {600, 631}) {
        SCOPED_TRACE(columns);
        auto c = make_case({2, 4, 600, columns, 32, 2});
        for (auto* t : {&c.q, &c.k, &c.v}) *t = t->detach().requires_grad_(true);
        c.table = table.clone().requires_grad_(true);
        if (columns == 631) c.slopes = torch::tensor({0.0, 0.01, 0.0, 0.3});
        if (!c.slopes) {
            EXPECT_EQ(std::get<2>(fused_attention_visited(c)).min().item<double>(), 1.0) << "unless asked";
        }
        c.skip_by_table = true;
        const auto weight = torch::randn(c.q.sizes());
        const auto run = [&](double threshold) {
            c.skip_threshold = threshold;
            const auto [out, lse, visited] = fused_attention_visited(c);
            auto all = torch::autograd::grad({std::get<0>(fused_attention(c))}, {c.q, c.k, c.v, *c.table}, {weight});
            all.insert(all.end(), {out, lse, visited});
            return all;
        };
        const auto with = run(-1.0);
        const auto without = run(kInf);
        EXPECT_LT(largest(with[6].slice(1, 0, 2)), 0.6);
        EXPECT_LT(largest(with[6].select(1, 2)), 1.0);
        EXPECT_EQ(largest(without[6]), 1.0);
        EXPECT_LE(largest((with[4] - without[4]).abs().amax(3).div(without[4].abs().amax(3))), 1e-7);
        EXPECT_TRUE(with[5].equal(without[5]));
        for (int i = 0; i < 4; ++i) EXPECT_LE(relative_difference(with[i], without[i]), 2e-7) << i;
        if (columns == 600) {
            const auto rises = torch::ones({4, 700}).cumsum(1).mul(0.1);
            c.table = rises;
            EXPECT_EQ(largest(std::get<2>(fused_attention_visited(c))), 1.0);
        }
        c.table = table.clone();
        c.table->slice(1, 400).fill_(std::nan(""));
        EXPECT_TRUE(std::get<0>(fused_attention(c)).isnan().any(3).slice(2, 450).all().item<bool>());
    }
}

TEST_P(Skipping, GatesThatNeverCloseSkipNothing) {
    auto c = make_case({1, 2, 400, 400, 16});
    auto sums = torch::rand({1, 2, 400}, torch::kDouble).neg().cumsum(2);
    c.row = sums;
    c.column = sums.neg();
    EXPECT_LT(visited_fraction(c).max().item<double>(), 1.0);
    c.slopes = torch::tensor({0.0, -0.1});
    EXPECT_EQ(visited_fraction(c)[0][1].item<double>(), 1.0) << "a negative slope rises with the distance";
    c.slopes = std::nullopt;
    sums = torch::zeros({1, 2, 400}, torch::kDouble);
    c.row = sums;
    c.column = sums;
    EXPECT_EQ(visited_fraction(c).min().item<double>(), 1.0);
    // A key that no gate hides.
    c.column = torch::arange(400, torch::kDouble).mul(3.0).expand({1, 2, 400}).clone();
    c.row = c.column->neg();
    EXPECT_LT(visited_fraction(c).max().item<double>(), 0.5);
    c.column->select(2, 3).fill_(3000.0);
    EXPECT_EQ(visited_fraction(c).min().item<double>(), 1.0);
    c.column->select(2, 3).fill_(std::nan(""));
    EXPECT_TRUE(std::get<0>(fused_attention(c)).isnan().any(3).slice(2, 3).all().item<bool>());
}

// The table leaves out at least the keys that the authors' rule does (ACP, Lin et al., 2025b), and no more of a row's
// weight than its threshold says. A block for each key is made of 64 copies of it, each with a 64th of its weight.
TEST(FoxSkipGolden, TheTableLeavesOutWhatTheAuthorsDo) {
    const test::PositionGolden golden("fox_skip");
    for (const auto& item : golden.settings.items()) {
        SCOPED_TRACE(item.key());
        const auto stored = [&](const char* name) { return golden.tensors.at(item.key() + "." + name); };
        const double threshold = -item.value()["log_eps"].get<double>();
        const auto spread = [](const at::Tensor& t) { return t.repeat_interleave(kBlock, 1).contiguous(); };
        const auto sums = sums_of_gates(stored("gate_logits"));
        const auto q = spread(stored("q").to(torch::kFloat)), k = spread(stored("k").to(torch::kFloat));
        const auto row = spread(sums), column = spread(sums.neg()).sub(std::log(64.0));
        const auto heads = q.size(0), length = sums.size(1), head_dim = q.size(2);
        longbow_attention call{};
        call.batch = 1;
        call.heads = static_cast<std::int32_t>(heads);
        call.query_length = call.key_length = static_cast<std::int32_t>(length * kBlock);
        call.head_dim = static_cast<std::int32_t>(head_dim);
        call.causal = 1;
        call.scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(head_dim)));
        call.q = {q.data_ptr(), 0, q.stride(0), q.stride(1)};
        call.k = {k.data_ptr(), 0, k.stride(0), k.stride(1)};
        call.places.row = row.const_data_ptr<double>();
        call.places.column = column.const_data_ptr<double>();
        std::vector<char> workspace(static_cast<std::size_t>(longbow_attention_cpu_skip_table_workspace(&call)) + 64);
        call.workspace = reinterpret_cast<void*>((reinterpret_cast<std::uintptr_t>(workspace.data()) + 63) / 64 * 64);
        auto first = torch::empty({heads, length}, torch::kInt);
        const auto at_most = static_cast<float>(threshold - std::log(64.0));
        ASSERT_TRUE(longbow_attention_can_skip(&call, at_most));
        ASSERT_EQ(longbow_attention_cpu_skip_table(&call, at_most, first.mutable_data_ptr<std::int32_t>(), nullptr),
                  LONGBOW_OK);
        EXPECT_TRUE(first.ge(stored("first_key")).all().item<bool>());
        EXPECT_GT(first.gt(stored("first_key")).sum().item<std::int64_t>(), first.numel() / 4);
        const auto distance = torch::arange(length).unsqueeze(1).sub(torch::arange(length));
        const auto weights =
            torch::matmul(stored("q").to(torch::kDouble), stored("k").to(torch::kDouble).transpose(1, 2))
                .div(std::sqrt(static_cast<double>(head_dim)))
                .add(sums.unsqueeze(2).sub(sums.unsqueeze(1)))
                .masked_fill(distance.lt(0), -kInf)
                .softmax(2);
        const auto left_out = torch::arange(length).lt(first.unsqueeze(2));
        EXPECT_LT(largest(weights.mul(left_out).sum(2)), std::exp(-threshold));
        EXPECT_LT(largest(torch::matmul(weights, stored("v").to(torch::kDouble)) - stored("out")), 1e-12);
    }
}

TEST_P(Skipping, LeavesOutWhatItsThresholdSays) {
    // All scores are the same before the bias, so the bound is tight, and a threshold of 2 leaves out up to exp(-2) of
    // a row's weight.
    auto c = make_case({1, 2, 600, 600, 32});
    c.q = torch::ones_like(c.q);
    c.k = torch::ones_like(c.k);
    c.slopes = torch::tensor({0.5, 0.1}, torch::kFloat);
    const auto run = [&](double threshold) {
        c.skip_threshold = threshold;
        return std::get<0>(fused_attention(c));
    };
    const auto whole = run(kInf);
    EXPECT_LE(largest((run(-1.0) - whole).abs().amax(3).div(whole.abs().amax(3))), 1e-7);
    const double careless = relative_difference(run(2.0), whole);
    EXPECT_GT(careless, 1e-4);
    EXPECT_LT(careless, 2 * std::exp(-2.0));
}

TEST_P(Skipping, LeavesOutMoreThanTheTableAndLessThanItsThreshold) {
    constexpr double kThreshold = 16.635532333438686;  // 24 ln 2
    for (const std::int64_t queries : {1500, 333}) {
        SCOPED_TRACE(queries);
        auto c = make_case({1, 2, queries, 1500, 64});
        c.slopes = torch::tensor({1.0 / 16, 1.0 / 64}, torch::kFloat);
        const auto first = first_blocks(c);
        const auto weights = weights_of(c);
        const auto lengths = c.q.to(torch::kDouble).norm(2, 3).div(8.0);
        const auto longest = std::get<0>(c.k.to(torch::kDouble).norm(2, 3).cummax(2));
        std::int64_t of_table = 0, visited = 0, later = 0;
        for (std::int64_t head = 0; head < 2; ++head) {
            const double slope = c.slopes->select(0, head).item<double>();
            const double tail = -std::log1p(-std::exp(-slope));
            for (std::int64_t block = 0; block < first.size(2); ++block) {
                const auto begin = first[0][head][block][0].item<std::int64_t>();
                const auto rows = weights[0][head].slice(0, block * kBlock, (block + 1) * kBlock);
                for (std::int64_t group = 0, before = begin; group < kGroups && group * kGroup < rows.size(0);
                     ++group) {
                    const auto own = first[0][head][block][group].item<std::int64_t>();
                    EXPECT_GE(own, before) << "later rows are further away";
                    EXPECT_LT(
                        largest(rows.slice(0, group * kGroup, (group + 1) * kGroup).slice(1, 0, own * kBlock).sum(1)),
                        std::exp(-kThreshold))
                        << "head " << head << ", block " << block << ", group " << group;
                    later += own - before;
                    before = own;
                }
                // The table's rule: a row's sum is at least the weight of its own key.
                std::int64_t ruled = first.size(2) + (1500 - queries) / kBlock;
                for (std::int64_t i = block * kBlock; i < std::min(queries, (block + 1) * kBlock); ++i) {
                    const auto position = 1500 - queries + i;
                    const double own = c.q[0][head][i]
                                           .to(torch::kDouble)
                                           .dot(c.k[0][head][position].to(torch::kDouble))
                                           .item<double>() /
                                       8.0;
                    ruled = std::min(ruled, position / kBlock);
                    while (ruled > 0 &&
                           lengths[0][head][i].item<double>() * longest[0][head][ruled * kBlock - 1].item<double>() -
                                   slope * static_cast<double>(position - (ruled * kBlock - 1)) + tail - own >=
                               -kThreshold) {
                        --ruled;
                    }
                }
                of_table += (1500 - queries) / kBlock + block - ruled;
                visited += (1500 - queries) / kBlock + block - begin;
            }
        }
        EXPECT_LT(static_cast<double>(visited), 0.95 * static_cast<double>(of_table));
        EXPECT_GT(later, 0) << "rows at a block's end begin later";
    }
}

// One early key is so long that the bound by norms skips nothing, although no query looks at it. Any number of tiles
// must be dropped all the same.
TEST_P(Skipping, DropsAnyNumberOfTiles) {
    constexpr std::int64_t kBlocks = 80;
    auto c = make_case({1, 1, kBlocks * kBlock, kBlocks * kBlock, 32});
    c.slopes = torch::tensor({0.25}, torch::kFloat);
    c.q = c.q.clone();
    c.k = c.k.clone();
    c.q.select(3, 0).fill_(1.0);
    c.k.select(2, 3).zero_().select(2, 0).fill_(-1e4);
    const auto first = first_blocks(c);
    for (std::int64_t block = 4; block < kBlocks; ++block) {
        EXPECT_GE(first[0][0][block][0].item<std::int64_t>(), block - 3) << block;
    }
}

// Query 1,400 looks at key 128, 20 blocks away, which no other query looks at. A key that is NaN must show in all later
// rows.
TEST_P(Skipping, KeepsFarKeysThatCount) {
    auto c = make_case({1, 2, 1500, 1500, 32});
    c.slopes = torch::tensor({1.0 / 16, 1.0 / 128}, torch::kFloat);
    c.q = c.q.clone();
    c.k = c.k.clone();
    c.k.select(2, 128).zero_().select(2, 0).fill_(40.0);
    c.q.select(2, 1400).zero_().select(2, 0).fill_(50.0);
    const auto [out, lse] = fused_attention(c);
    const auto [wanted, wanted_lse] = expected(c);
    EXPECT_LT(largest(out - wanted), 3e-6);
    EXPECT_LT(largest(out.select(2, 1400) - c.v.select(2, 128)), 1e-3);
    c.k.select(2, 128).select(2, 0).fill_(std::nan(""));
    const auto spoilt = std::get<0>(fused_attention(c)).isnan().any(3);  // [batch, heads, queries]
    EXPECT_FALSE(spoilt.slice(2, 0, 128).any().item<bool>());
    EXPECT_TRUE(spoilt.slice(2, 128).all().item<bool>());
}

// A key that is NaN spoils exactly the queries whose group of rows visits its block; another table means other queries.
TEST_P(Skipping, GradientsVisitWhatTheTableSaysOfEachGroupOfRows) {
    using Signature = std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor>(
        const at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&,
        const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&, const std::optional<at::Tensor>&,
        const std::optional<at::Tensor>&, bool, std::int64_t, double, std::int64_t, std::int64_t, double, bool, bool);
    static const auto op =
        c10::Dispatcher::singleton().findSchemaOrThrow("longbow::fused_attention_backward", "").typed<Signature>();
    constexpr std::int64_t kLength = 3 * kBlock - 11;  // the last block ends within a group
    for (const auto type : {torch::kFloat, torch::kBFloat16}) {
        SCOPED_TRACE(type);
        auto c = make_case({1, 1, kLength, kLength, 40}, type);
        c.slopes = torch::tensor({0.01}, torch::kFloat);
        c.skip_threshold = kInf;
        const auto [out, lse] = fused_attention(c);
        const auto grad = torch::randn(c.q.sizes()).to(type);
        c.k = c.k.clone();
        c.k.select(2, 5).fill_(std::nan(""));
        for (std::int64_t visiting = 1; visiting <= kGroups; ++visiting) {
            auto first = torch::zeros({1, 1, 3, kGroups}, torch::kInt);
            first[0][0][2].slice(0, visiting).fill_(1);
            const auto dq = std::get<0>(op.call(grad, c.q, c.k, c.v, out, lse, first, c.slopes, {}, {}, true, 0, 0.0, 0,
                                                0, 1.0 / std::sqrt(40.0), false, false));
            const auto spoilt = dq.isnan().any(3)[0][0].slice(0, 2 * kBlock);
            const auto rows = std::min(kLength - 2 * kBlock, visiting * kGroup);
            EXPECT_TRUE(spoilt.slice(0, 0, rows).all().item<bool>()) << visiting;
            EXPECT_FALSE(spoilt.slice(0, rows).any().item<bool>()) << visiting;
        }
        for (const auto& sizes : std::vector<std::vector<std::int64_t>>{{1, 1, 3, 2}, {1, 1, 4}, {1, 2, 3}}) {
            EXPECT_THROW(op.call(grad, c.q, c.k, c.v, out, lse, torch::zeros(sizes, torch::kInt), c.slopes, {}, {},
                                 true, 0, 0.0, 0, 0, 1.0 / std::sqrt(40.0), false, false),
                         c10::ValueError)
                << at::IntArrayRef(sizes);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Cpu, Skipping, testing::Values("portable", "avx2", "avx512", "avx512_bf16"),
                         [](const auto& chosen) { return std::string(chosen.param); });

TEST(VisitedFraction, CountsBlocksBelowTheDiagonal) {
    const auto q = torch::zeros({1, 3, 64 * 8, 16});  // all scores are 0, so the slope alone decides
    const auto slopes = torch::tensor({1.0, 0.0, -1.0}, torch::kFloat);
    Case c{.q = q, .k = q, .slopes = slopes};
    const auto fraction = visited_fraction(c);
    // Slope 1: what is 24 ln 2 - ln(1 - 1/e) = 17.1 or more away is left out: each block visits itself and the one
    // before.
    EXPECT_NEAR(fraction[0][0].item<double>(), 15.0 / 36.0, 1e-6);
    EXPECT_EQ(fraction[0][1].item<double>(), 1.0);
    EXPECT_EQ(fraction[0][2].item<double>(), 1.0);
    c.skip_threshold = kInf;
    EXPECT_EQ(visited_fraction(c).min().item<double>(), 1.0);
}

}  // namespace
}  // namespace longbow
