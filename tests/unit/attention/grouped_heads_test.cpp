// Tests the fused operator where a head of k and v serves several heads of q, on every instruction set that this CPU
// has.
#include "fused_case.h"

namespace longbow {
namespace {

class GroupedHeads : public Instructions {};

TEST_P(GroupedHeads, HeadsThatShareKeysEqualTheFormula) {
    const std::vector<std::pair<std::int64_t, std::int64_t>> lengths = {{130, 130}, {70, 200}, {2, 90}, {1, 300}};
    for (const auto& [rows, columns] : lengths) {
        for (const std::int64_t kv_heads : {1, 2}) {
            for (const auto type : {at::kFloat, at::kBFloat16}) {
                SCOPED_TRACE(testing::Message()
                             << rows << " x " << columns << ", " << kv_heads << " heads of keys, " << toString(type));
                auto c = make_case({2, 4, rows, columns, 32, kv_heads}, type);
                expect_equals_formula(c);
                c.slopes = geometric_slopes(4);
                expect_equals_formula(c);
                c.window = 50;
                c.scale = 0.3;
                c.dropout = 0.25;
                expect_equals_formula(c);
                c = make_case({2, 4, rows, columns, 40, kv_heads}, type);
                c.table = torch::randn({4, 70});
                expect_equals_formula(c);
                c.causal = false;
                expect_equals_formula(c);
            }
        }
    }
}

TEST_P(GroupedHeads, HeadsThatShareKeysAndRaggedLengths) {
    auto c = make_case({3, 6, 140, 140, 32, 2});
    c.slopes = geometric_slopes(6);
    c.lengths = torch::tensor({140, 0, 77});
    expect_equals_formula(c);
}

// Each head of q has a slope and so a table of skipped blocks of its own, made from the keys that it shares.
TEST_P(GroupedHeads, HeadsThatShareKeysSkipFarBlocks) {
    auto c = make_case({1, 4, 600, 600, 32, 2});
    c.slopes = torch::tensor({0.5, 0.01, 2.0, -0.01}, torch::kFloat);
    expect_equals_formula(c);
    const auto visited = std::get<2>(fused_attention_visited(c));
    EXPECT_LT(visited[0][0].item<float>(), 0.6F);
    EXPECT_LT(visited[0][2].item<float>(), 0.5F);
    EXPECT_EQ(visited[0][3].item<float>(), 1.0F);
    auto apart = c;
    apart.k = c.k.repeat_interleave(2, 1);
    apart.v = c.v.repeat_interleave(2, 1);
    EXPECT_TRUE(std::get<2>(fused_attention_visited(apart)).equal(visited));
    EXPECT_TRUE(std::get<0>(fused_attention(apart)).equal(std::get<0>(fused_attention(c))));
}

TEST_P(GroupedHeads, BitsOfSharedKeysDoNotDependOnTheThreads) {
    const int before = torch::get_num_threads();
    for (const std::int64_t kv_heads : {1, 2}) {
        for (const bool table : {false, true}) {
            auto c = make_case({1, 4, 330, 330, 32, kv_heads});
            std::vector<at::Tensor> inputs;
            for (auto* t : {&c.q, &c.k, &c.v}) inputs.push_back(*t = t->detach().requires_grad_(true));
            if (table) {
                inputs.push_back(*(c.table = torch::randn({4, 100}).requires_grad_(true)));
            } else {
                inputs.push_back(*(c.slopes = geometric_slopes(4).requires_grad_(true)));
            }
            const auto weight = torch::randn(c.q.sizes());
            const auto gradients = [&](int threads) {
                torch::set_num_threads(threads);
                return torch::autograd::grad({std::get<0>(fused_attention(c))}, inputs, {weight});
            };
            const auto one = gradients(1);
            for (const int threads : {2, 3, 8}) {  // with 8, dq is computed apart from dk and dv
                const auto more = gradients(threads);
                for (std::size_t i = 0; i < one.size(); ++i) {
                    EXPECT_TRUE(one[i].equal(more[i]))
                        << kv_heads << " heads of keys, " << threads << " threads, " << i;
                }
            }
        }
    }
    torch::set_num_threads(before);
}

INSTANTIATE_TEST_SUITE_P(Cpu, GroupedHeads, testing::Values("portable", "avx2", "avx512", "avx512_bf16"),
                         [](const auto& chosen) { return std::string(chosen.param); });

TEST(GroupedHeadsBuffer, GradientsOfOnePackedBufferAreViewsOfOneBuffer) {
    auto c = make_case({2, 6, 50, 50, 16, 2});
    for (auto* t : {&c.q, &c.k, &c.v}) t->requires_grad_(true);
    const auto out = std::get<0>(fused_attention(c));
    const auto gradients = torch::autograd::grad({out}, {c.q, c.k, c.v}, {torch::randn(out.sizes())});
    const std::int64_t offsets[] = {0, 6 * 16, 8 * 16};
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(gradients[i].storage().is_alias_of(gradients[0].storage()));
        EXPECT_EQ(gradients[i].strides(), c.q.strides());
        EXPECT_EQ(gradients[i].storage_offset(), offsets[i]);
    }
}

}  // namespace
}  // namespace longbow
