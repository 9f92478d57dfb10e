// Compares the backward kernels with fp64, over shapes that are multiples of no tile.
#include <gtest/gtest.h>

#include <string>
#include <tuple>

#include "emulator/attention_case.h"
#include "emulator/check_case.h"

namespace attention_test {
namespace {

using Bias = Shape::Bias;
constexpr std::uint64_t kSchedules = 2;

void check(const Shape& shape) { check_case(shape, Passes::both, kSchedules); }

class BackwardOfSize : public testing::TestWithParam<std::tuple<longbow_dtype, int, int>> {};

TEST_P(BackwardOfSize, EqualsFp64) {
    const auto [dtype, head_dim, length] = GetParam();
    check(square(length, head_dim, dtype));
}

INSTANTIATE_TEST_SUITE_P(Sizes, BackwardOfSize,
                         testing::Combine(testing::Values(LONGBOW_F32, LONGBOW_BF16, LONGBOW_F16),
                                          testing::Values(64, 80, 96, 128), testing::Values(67, 130)));
INSTANTIATE_TEST_SUITE_P(OddDims, BackwardOfSize,
                         testing::Combine(testing::Values(LONGBOW_F32, LONGBOW_BF16), testing::Values(8, 40, 136, 256),
                                          testing::Values(77)));

TEST(Backward, SeveralHeadsAndBatches) {
    Shape shape = square(100, 64, LONGBOW_F32);
    shape.batch = 2, shape.heads = 3;
    check(shape);
    shape.bias = Bias::batch_slopes, shape.dtype = LONGBOW_BF16;
    check(shape);
}

TEST(Backward, HeadsThatShareKeys) {
    for (const int kv_heads : {1, 2}) {
        for (const auto dtype : {LONGBOW_BF16, LONGBOW_F32}) {
            Shape shape = square(100, kv_heads == 2 ? 64 : 136, dtype);
            shape.heads = 4, shape.kv_heads = kv_heads;
            check(shape);
            shape.bias = Bias::table, shape.key_length = 110;
            check(shape);
        }
    }
    // Heads that see nothing of a block of keys before and after one that does.
    Shape shape = square(330, 64, LONGBOW_BF16);
    shape.heads = 3, shape.kv_heads = 1, shape.slope = 0.01f;
    shape.first_key_block = {0, 1, 2, 3, 4, 5, 0, 0, 0, 0, 1, 1, 0, 1, 1, 3, 4, 5};
    check(shape);
    shape.dropout_keep = 200, shape.window = 90, shape.dtype = LONGBOW_F32;
    check(shape);
}

TEST(Backward, Table) {
    for (const bool causal : {true, false}) {
        for (const int entries : {33, 129, 400}) {
            Shape shape = square(190, 64, LONGBOW_F32);
            shape.batch = 2, shape.bias = Bias::table, shape.table_length = entries, shape.causal = causal;
            check(shape);
            shape.query_length = 90, shape.dtype = LONGBOW_BF16;
            check(shape);
        }
    }
}

TEST(Backward, TableOfWideHeads) {
    for (const auto dtype : {LONGBOW_F32, LONGBOW_F16}) {
        Shape shape = square(70, 160, dtype);
        shape.bias = Bias::table, shape.table_length = 20;
        check(shape);
    }
}

TEST(Backward, NotCausalAndWindows) {
    for (const int window : {0, 1, 50}) {
        Shape shape = square(141, 64, LONGBOW_F32);
        shape.window = window;
        check(shape);
        shape.causal = false, shape.dtype = LONGBOW_BF16;
        check(shape);
    }
}

TEST(Backward, UnequalLengths) {
    Shape shape = square(70, 80, LONGBOW_F32);
    shape.key_length = 201;
    check(shape);
    shape.dtype = LONGBOW_BF16, shape.causal = false;
    check(shape);
    shape.query_length = 110, shape.key_length = 50, shape.causal = true;
    check(shape);
}

TEST(Backward, OneQuery) {
    Shape shape = square(1, 64, LONGBOW_F32);
    shape.key_length = 600, shape.slope = 0.01f;
    check(shape);
}

TEST(Backward, Ragged) {
    Shape shape = square(140, 64, LONGBOW_F32);
    shape.batch = 4;
    shape.lengths = {140, 0, 65, 500};
    check(shape);
    shape.key_length = 170, shape.causal = false, shape.dtype = LONGBOW_BF16;
    check(shape);
}

TEST(Backward, NothingAtAll) {
    Shape shape = square(0, 64, LONGBOW_F32);
    check(shape);
    shape.query_length = 20;
    check(shape);
}

TEST(Backward, FirstKeyBlock) {
    Shape shape = square(330, 64, LONGBOW_BF16);
    shape.slope = 0.01f;
    shape.first_key_block = {0, 1, 0, 3, 2, 5};
    check(shape);
    shape.dtype = LONGBOW_F32, shape.window = 100;
    check(shape);
}

TEST(Backward, DropoutDrawsTheForwardMaskAgain) {
    for (const int keep : {26, 230}) {
        for (const auto dtype : {LONGBOW_BF16, LONGBOW_F32}) {
            Shape shape = square(147, 64, dtype);
            shape.heads = 2, shape.dropout_keep = keep;
            check(shape);
        }
    }
    for (const int head_dim : {128, 256}) {
        Shape shape = square(77, head_dim, LONGBOW_BF16);
        shape.dropout_keep = 200;
        check(shape);
        shape.bias = Bias::table;
        check(shape);
    }
}

}  // namespace
}  // namespace attention_test
