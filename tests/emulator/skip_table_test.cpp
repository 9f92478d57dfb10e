// Compares the skip table that the GPU makes with the CPU's: the integers must be the same.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "attention/kernels/attention.h"
#include "attention/kernels/slope_tail.h"
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

TEST(SkipTable, TheTailOfASlopeIsThatOfTheGeometricSeries) {
    struct Plain {
        static double multiply(double a, double b) { return a * b; }
        static double add(double a, double b) { return a + b; }
    };
    const auto tail = [](double slope) { return longbow::slope_tail<Plain>(slope); };
    for (double slope = 1e-18; slope < 30.0; slope *= 1.01)
        ASSERT_NEAR(tail(slope) / -std::log(-std::expm1(-slope)), 1.0, 1e-13) << slope;
    EXPECT_LT(tail(40.0), 1e-15);
    EXPECT_EQ(tail(HUGE_VAL), 0.0);
    for (const double slope : {0.0, -1.0, std::nan("")}) EXPECT_EQ(tail(slope), HUGE_VAL);
}

Shape gated(longbow_dtype dtype, double gate) {
    Shape shape = long_shape(dtype);
    shape.bias = Shape::Bias::none;
    shape.places.terms = true, shape.places.gate = gate;
    return shape;
}

TEST(SkipTable, OfTermsIsTheCpus) {
    emulator::options() = {};
    for (const auto dtype : {LONGBOW_F32, LONGBOW_BF16, LONGBOW_F16}) {
        const auto expected = of_cpu(Case(gated(dtype, -0.3)).call(), kExact);
        EXPECT_EQ(of_gpu(Case(gated(dtype, -0.3)).call(), kExact), expected);
        EXPECT_GT(*std::max_element(expected.begin(), expected.end()), 0);
    }
    Shape shape = gated(LONGBOW_F32, -0.1);
    shape.bias = Shape::Bias::slopes, shape.places.shared = true, shape.lengths = {650, 130};
    EXPECT_EQ(of_gpu(Case(shape).call(), kExact), of_cpu(Case(shape).call(), kExact));
    shape.slope = -0.05F, shape.query_length = 200;
    EXPECT_EQ(of_gpu(Case(shape).call(), kExact), of_cpu(Case(shape).call(), kExact));
    shape.places.shift = -1e5, shape.slope = 0.05F, shape.window = 300, shape.places.sinks = 4;
    EXPECT_EQ(of_gpu(Case(shape).call(), kExact), of_cpu(Case(shape).call(), kExact));
    const Shape nothing_falls = gated(LONGBOW_F32, 0.0);
    const auto first = of_gpu(Case(nothing_falls).call(), kExact);
    EXPECT_EQ(*std::max_element(first.begin(), first.end()), 0);
}

TEST(SkipTable, OfTermsThatAreNoNumbers) {
    emulator::options() = {};
    for (const double spoilt : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
        Case test(gated(LONGBOW_F32, -0.3));
        std::vector<double> column(test.call().places.column, test.call().places.column + 2 * 3 * 700);
        for (const std::size_t key : {std::size_t{0}, std::size_t{70}, std::size_t{1500}}) column[key] = spoilt;
        test.call().places.column = column.data();
        EXPECT_EQ(of_gpu(test.call(), kExact), of_cpu(test.call(), kExact)) << spoilt;
    }
}

// Attention with the table must equal attention without it, as far as an fp32 sum can tell.
void expect_nothing_left_out_that_counts(const Shape& shape) {
    emulator::options() = {};
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
    // The gradients of the bias are left out: their terms nearly cancel, and errors() has measured them against these.
    const auto length = static_cast<std::size_t>(shape.query_length);
    const std::size_t count = length + 4 * length * static_cast<std::size_t>(shape.head_dim);
    double largest = 0;
    for (std::size_t i = 0; i < count; ++i) largest = std::max(largest, std::fabs(whole[i]));
    for (std::size_t i = 0; i < count; ++i) ASSERT_NEAR(skipped[i], whole[i], 2e-6 * largest) << i;
}

TEST(SkipTable, LeavesOutNothingThatCounts) {
    Shape shape = long_shape(LONGBOW_F32);
    shape.batch = 1, shape.heads = 1, shape.query_length = shape.key_length = 400;
    expect_nothing_left_out_that_counts(shape);
    shape.bias = Shape::Bias::none, shape.places.terms = true;
    expect_nothing_left_out_that_counts(shape);
    shape.window = 150, shape.places.sinks = 5;
    expect_nothing_left_out_that_counts(shape);
}

}  // namespace
}  // namespace attention_test
