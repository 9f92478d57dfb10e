// Compares the skip table that the GPU makes with the CPU's: the integers must be the same.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "attention/kernels/attention.h"
#include "emulator/attention_case.h"
#include "emulator/emulator.h"

namespace attention_test {
namespace {

constexpr float kExact = 24.0f * 0.6931471805599453f;

std::vector<std::int32_t> table_of(longbow_attention call, float threshold, longbow_attention_bytes* bytes,
                                   longbow_attention_table* make) {
    const int blocks = (call.query_length + LONGBOW_BLOCK - 1) / LONGBOW_BLOCK;
    std::vector<std::int32_t> first(static_cast<std::size_t>(call.batch * call.heads * blocks), -1);
    std::vector<double> workspace(static_cast<std::size_t>(bytes(&call)) / sizeof(double) + 1, NAN);
    call.workspace = workspace.data();
    EXPECT_EQ(make(&call, threshold, first.data(), nullptr), LONGBOW_OK);
    return first;
}

std::vector<std::int32_t> of_cpu(const longbow_attention& call, float threshold) {
    return table_of(call, threshold, &longbow_attention_cpu_skip_table_workspace, &longbow_attention_cpu_skip_table);
}

std::vector<std::int32_t> of_gpu(const longbow_attention& call, float threshold) {
    return table_of(call, threshold, &longbow_attention_cuda_skip_table_workspace, &longbow_attention_cuda_skip_table);
}

Shape long_shape(longbow_dtype dtype) {
    Shape shape;
    shape.batch = 2, shape.heads = 3;
    shape.query_length = shape.key_length = 700;
    shape.head_dim = 40;
    shape.dtype = dtype;
    shape.slope = 0.5f;
    return shape;
}

TEST(SkipTable, IsTheCpus) {
    for (const auto dtype : {LONGBOW_F32, LONGBOW_BF16, LONGBOW_F16}) {
        emulator::options() = {};
        Case test(long_shape(dtype));
        for (const float threshold : {2.0f, 7.6f, kExact, 100.0f}) {
            const auto expected = of_cpu(test.call(), threshold);
            EXPECT_EQ(of_gpu(test.call(), threshold), expected) << threshold;
            if (threshold == kExact) {
                EXPECT_GT(*std::max_element(expected.begin(), expected.end()), 0)
                    << "nothing is skipped: the test shows nothing";
            }
        }
    }
}

TEST(SkipTable, OfHeadsThatShareKeys) {
    emulator::options() = {};
    Shape shape = long_shape(LONGBOW_F32);
    shape.heads = 4, shape.kv_heads = 2;
    Case grouped(shape);
    const auto expected = of_cpu(grouped.call(), kExact);
    EXPECT_EQ(of_gpu(grouped.call(), kExact), expected);
    EXPECT_GT(*std::max_element(expected.begin(), expected.end()), 0);
    auto others = grouped.call();
    others.k.data = static_cast<float*>(others.k.data) + others.k.head;  // the second head of keys for all queries
    others.heads = others.kv_heads = 1;
    others.batch = 1;
    others.q.data = static_cast<float*>(others.q.data) + 3 * others.q.head;  // the last head of queries
    others.slopes += 3;
    const auto blocks = expected.size() / 8;
    EXPECT_EQ(of_cpu(others, kExact),
              std::vector<std::int32_t>(expected.begin() + static_cast<std::ptrdiff_t>(3 * blocks),
                                        expected.begin() + static_cast<std::ptrdiff_t>(4 * blocks)));
}

TEST(SkipTable, RaggedUnequalAndNegative) {
    emulator::options() = {};
    Shape shape = long_shape(LONGBOW_BF16);
    shape.lengths = {650, 130};
    EXPECT_EQ(of_gpu(Case(shape).call(), kExact), of_cpu(Case(shape).call(), kExact));
    shape.lengths.clear();
    shape.query_length = 200;
    EXPECT_EQ(of_gpu(Case(shape).call(), kExact), of_cpu(Case(shape).call(), kExact));
    shape.query_length = 700, shape.key_length = 600;
    EXPECT_EQ(of_gpu(Case(shape).call(), kExact), of_cpu(Case(shape).call(), kExact));
    shape.key_length = 700, shape.slope = -0.5f;
    EXPECT_EQ(of_gpu(Case(shape).call(), kExact), of_cpu(Case(shape).call(), kExact));
}

// Attention with the table must equal attention without it, as far as an fp32 sum can tell.
TEST(SkipTable, LeavesOutNothingThatCounts) {
    emulator::options() = {};
    Shape shape = long_shape(LONGBOW_F32);
    shape.batch = 1, shape.heads = 1, shape.query_length = shape.key_length = 400;
    Case test(shape);
    const auto first = of_gpu(test.call(), kExact);
    ASSERT_GT(*std::max_element(first.begin(), first.end()), 0);
    test.call().first_key_block = first.data();
    test.forward();
    test.backward(true);
    const auto errors = test.errors();
    EXPECT_LE(errors.out, out_tolerance(shape.dtype));
    EXPECT_LE(errors.worst_gradient(), gradient_tolerance(shape.dtype));
    const auto skipped = test.raw_results();
    test.call().first_key_block = nullptr;
    test.forward();
    test.backward(true);
    const auto whole = test.raw_results();
    // The last number is the slope's gradient, whose terms nearly cancel; errors() has measured it against these.
    double largest = 0;
    for (std::size_t i = 0; i + 1 < whole.size(); ++i) largest = std::max(largest, std::fabs(whole[i]));
    for (std::size_t i = 0; i + 1 < whole.size(); ++i) ASSERT_NEAR(skipped[i], whole[i], 2e-6 * largest) << i;
}

}  // namespace
}  // namespace attention_test
