// Compares the fused operator with the reference formula in fp64, on every instruction set that this CPU has.
#include <gmock/gmock.h>

#include "fused_case.h"

namespace longbow {
namespace {

TEST_P(Instructions, EqualTheFormulaForEveryHeadSize) {
    for (const std::int64_t head_dim : {8, 32, 40, 64, 72, 80, 96, 128, 256}) {
        SCOPED_TRACE(head_dim);
        auto c = make_case({1, 2, 97, 97, head_dim});
        c.slopes = geometric_slopes(2);
        expect_equals_formula(c);
    }
}

TEST_P(Instructions, EqualTheFormulaForEveryShape) {
    // Squares around the size of a block, a decoder's single query, windows that continue, and more queries than keys.
    // In some shapes neighbouring rows see one vector more than each other, within whole tiles and at the end of one.
    const std::vector<std::pair<std::int64_t, std::int64_t>> lengths = {
        {1, 1},    {2, 2},    {63, 63},  {64, 64},   {65, 65}, {200, 200}, {1, 90}, {3, 130},
        {64, 100}, {70, 200}, {200, 70}, {129, 128}, {2, 17},  {3, 18},    {2, 33}, {3, 33},
        {3, 34},   {2, 97},   {32, 33},  {33, 34},   {31, 44}, {100, 0}};
    for (const auto& [rows, columns] : lengths) {
        for (const bool causal : {true, false}) {
            for (const auto type : {at::kFloat, at::kBFloat16}) {
                SCOPED_TRACE(testing::Message()
                             << rows << " x " << columns << (causal ? " causal " : " ") << toString(type));
                auto c = make_case({2, 3, rows, columns, 32}, type);
                c.slopes = geometric_slopes(3);
                c.causal = causal;
                expect_equals_formula(c);
            }
        }
    }
}

TEST_P(Instructions, EqualTheFormulaForEveryBias) {
    for (const std::int64_t columns : {150, 210}) {
        for (const bool causal : {true, false}) {
            SCOPED_TRACE(testing::Message() << columns << (causal ? " causal" : ""));
            auto c = make_case({2, 3, 150, columns, 40});
            c.causal = causal;
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
        for (const auto type : {at::kFloat, at::kBFloat16}) {
            SCOPED_TRACE(testing::Message() << causal << " " << toString(type));
            auto c = make_case({4, 2, 140, 140, 32}, type);
            c.slopes = geometric_slopes(2);
            c.causal = causal;
            c.window = 30;
            c.scale = 0.3;
            expect_equals_formula(c);
            c.window = 0;
            c.lengths = torch::tensor({140, 0, 77, 1});
            expect_equals_formula(c);
            c = make_case({3, 2, 90, 150, 32}, type);
            c.causal = causal;
            c.lengths = torch::tensor({150, 61, 20}, torch::kInt);
            expect_equals_formula(c);
        }
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
        c.causal = causal;
        const auto out = std::get<0>(fused_attention(c));
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
    for (const auto type : {at::kFloat, at::kBFloat16}) {
        SCOPED_TRACE(toString(type));
        auto c = make_case({2, 2, 101, 150, 32}, type);
        c.slopes = geometric_slopes(2);
        c.dropout = 0.3;
        c.dropout_seed = 1234567890123;
        c.dropout_offset = 5;
        expect_equals_formula(c);
    }
}

TEST_P(Instructions, NotANumberIsNotHidden) {
    for (const std::int64_t row : {0, 70}) {
        auto c = make_case({1, 1, 100, 100, 32});
        c.slopes = geometric_slopes(1);
        c.q.select(2, row).fill_(std::numeric_limits<float>::quiet_NaN());
        const auto out = std::get<0>(fused_attention(c));
        EXPECT_TRUE(out.select(2, row).isnan().all().item<bool>()) << row;
        EXPECT_EQ(out.isnan().sum().item<std::int64_t>(), 32) << row;
    }
}

TEST_P(Instructions, BitsDoNotDependOnTheThreads) {
    const int before = torch::get_num_threads();
    const auto bits = [](const Case& c, const at::Tensor& weight) {
        std::vector<at::Tensor> inputs = {c.q, c.k, c.v};
        for (const auto* t : {&c.slopes, &c.table}) {
            if (*t) inputs.push_back(**t);
        }
        const auto out = std::get<0>(fused_attention(c));
        auto all = torch::autograd::grad({out}, inputs, {weight});
        all.push_back(out.detach());
        return all;
    };
    // With one head, dq is computed in one pass over the tiles and dk, dv in another; with many heads, each thread
    // takes whole heads. With 1,100 queries, the gradient of a table is summed in chunks of 16 blocks of 64 queries.
    struct Call {
        std::int64_t heads, length;
        at::ScalarType type;
    };
    for (const auto& [heads, length, type] :
         {Call{1, 330, at::kFloat}, Call{2, 330, at::kFloat}, Call{5, 330, at::kFloat}, Call{1, 1100, at::kFloat},
          Call{1, 331, at::kBFloat16}, Call{5, 331, at::kBFloat16}}) {
        auto c = make_case({1, heads, length, length, 32}, type);
        for (auto* t : {&c.q, &c.k, &c.v}) {
            *t = t->detach().requires_grad_(true);
        }
        const auto weight = torch::randn(c.q.sizes()).to(type);
        for (const bool table : {false, true}) {
            c.slopes = table ? std::nullopt : std::optional<at::Tensor>(geometric_slopes(heads).requires_grad_(true));
            c.table = table ? std::optional<at::Tensor>(torch::randn({heads, 100}).requires_grad_(true)) : std::nullopt;
            torch::set_num_threads(1);
            const auto one = bits(c, weight);
            for (const int threads : {2, 3}) {
                torch::set_num_threads(threads);
                const auto more = bits(c, weight);
                for (std::size_t i = 0; i < one.size(); ++i) {
                    EXPECT_TRUE(one[i].equal(more[i]))
                        << heads << " heads, " << length << " queries, " << threads << " threads, tensor " << i;
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
    const auto out = std::get<0>(fused_attention(c));
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
    c.causal = false;
    c.dropout = 0.25;
    const auto out = std::get<0>(fused_attention(c)).select(3, 0);  // kept keys / 64 / 0.75
    EXPECT_NEAR(out.mean().item<double>(), 1.0, 0.01);
    EXPECT_NEAR(out.var().item<double>(), 0.25 / 0.75 / 64, 0.25 / 0.75 / 64 * 0.2);
    const auto again = std::get<0>(fused_attention(c)).select(3, 0);
    EXPECT_TRUE(again.equal(out));
    c.dropout_seed = 1;
    EXPECT_FALSE(std::get<0>(fused_attention(c)).select(3, 0).equal(out));
}

TEST(FusedAttention, ArgumentsThatCannotBeServedAreNamed) {
    const auto message = [](const Case& c) -> std::string {
        try {
            fused_attention(c);
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
    EXPECT_THAT(with([](Case& c) { c.q = c.q.to(torch::kDouble); }),
                testing::HasSubstr("fp32, bf16 and fp16 are served"));
    EXPECT_THAT(with([](Case& c) { c.v = c.v.to(torch::kHalf); }), testing::HasSubstr("v is"));
    EXPECT_THAT(with([](Case& c) { c.v = c.v.slice(2, 1); }), testing::HasSubstr("k has 10 rows and v 9"));
    EXPECT_THAT(with([](Case& c) { c.k = c.k.slice(1, 1); }),
                testing::AllOf(testing::HasSubstr("v [2, 3, 10, 16]"), testing::HasSubstr("and the heads of k and v")));
    EXPECT_THAT(with([](Case& c) {
                    c.k = c.k.slice(1, 1);
                    c.v = c.v.slice(1, 1);
                }),
                testing::HasSubstr("the 3 heads of q are no multiple of the 2 heads of k and v"));
    EXPECT_THAT(with([](Case& c) { c.slopes = torch::ones({2}); }), testing::HasSubstr("alibi_slopes must be"));
    EXPECT_THAT(with([](Case& c) { c.table = torch::ones({3}); }), testing::HasSubstr("distance_bias must be"));
    EXPECT_THAT(with([](Case& c) { c.lengths = torch::ones({2}); }), testing::HasSubstr("lengths must be integers"));
    EXPECT_THAT(with([](Case& c) { c.window = -1; }), testing::HasSubstr("window"));
    EXPECT_THAT(with([](Case& c) { c.dropout = 1.0; }), testing::HasSubstr("dropout"));
    EXPECT_THAT(with([](Case& c) { c.skip_threshold = 0.0; }), testing::HasSubstr("skip_threshold"));
}

}  // namespace
}  // namespace longbow
