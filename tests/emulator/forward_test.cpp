// Compares the forward kernels with fp64, over shapes that are multiples of no tile.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <tuple>

#include "emulator/attention_case.h"
#include "emulator/check_case.h"
#include "emulator/emulator.h"

namespace attention_test {
namespace {

using Bias = Shape::Bias;
constexpr std::uint64_t kSchedules = 3;

void check(const Shape& shape) { check_case(shape, Passes::forward, kSchedules); }

class ForwardOfSize : public testing::TestWithParam<std::tuple<longbow_dtype, int, int>> {};

TEST_P(ForwardOfSize, EqualsFp64) {
    const auto [dtype, head_dim, length] = GetParam();
    check(square(length, head_dim, dtype));
}

INSTANTIATE_TEST_SUITE_P(Sizes, ForwardOfSize,
                         testing::Combine(testing::Values(LONGBOW_F32, LONGBOW_BF16, LONGBOW_F16),
                                          testing::Values(64, 80, 96, 128), testing::Values(67, 130)));
INSTANTIATE_TEST_SUITE_P(OddDims, ForwardOfSize,
                         testing::Combine(testing::Values(LONGBOW_F32, LONGBOW_BF16), testing::Values(8, 40, 136, 256),
                                          testing::Values(77)));

TEST(Forward, SeveralHeadsAndBatches) {
    Shape shape = square(100, 64, LONGBOW_BF16);
    shape.batch = 2, shape.heads = 3;
    check(shape);
    shape.bias = Bias::batch_slopes;
    check(shape);
}

TEST(Forward, HeadsThatShareKeys) {
    for (const int kv_heads : {1, 2}) {
        for (const auto dtype : {LONGBOW_BF16, LONGBOW_F32}) {
            Shape shape = square(100, 64, dtype);
            shape.batch = 2, shape.heads = 4, shape.kv_heads = kv_heads;
            check(shape);
            shape.query_length = 3, shape.key_length = 700;  // the keys are split among blocks
            check(shape);
        }
    }
}

// Tensor cores truncate their sums, so that the error grows with the number of keys of similar weight. A slope bounds
// that number, and few queries share the keys among blocks. docs/attention.md has these errors.
TEST(Forward, SumsOfManyKeysInFp32) {
    const auto error = [](int queries, int keys, Bias bias) {
        Shape shape = square(keys, 64, LONGBOW_F32);
        shape.query_length = queries;
        shape.bias = bias;
        shape.slope = 1.0F / 256;
        Case test(shape);
        emulator::options() = {};
        test.forward();
        return test.errors().out;
    };
    const double flat = error(64, 1024, Bias::none), flat_and_long = error(64, 4096, Bias::none);
    EXPECT_LE(flat, out_tolerance(LONGBOW_F32));
    EXPECT_GT(flat_and_long, 3 * flat);
    EXPECT_LE(flat_and_long, 5e-5);
    EXPECT_LE(error(64, 1024, Bias::slopes), out_tolerance(LONGBOW_F32));
    EXPECT_LE(error(64, 4096, Bias::slopes), 3.5e-5);
    EXPECT_LE(error(16, 4096, Bias::none), 4e-6);
}

TEST(Forward, NoBias) {
    Shape shape = square(131, 64, LONGBOW_F16);
    shape.bias = Bias::none;
    check(shape);
}

TEST(Forward, SlopesOfAnySize) {
    for (const float slope : {-0.03f, 0.0f, 3.0f}) {
        Shape shape = square(150, 64, LONGBOW_F32);
        shape.slope = slope;
        check(shape);
    }
}

TEST(Forward, Table) {
    for (const bool causal : {true, false}) {
        for (const int entries : {1, 33, 400}) {
            Shape shape = square(137, 64, LONGBOW_BF16);
            shape.heads = 2, shape.bias = Bias::table, shape.table_length = entries, shape.causal = causal;
            check(shape);
        }
    }
}

TEST(Forward, NotCausal) {
    for (const auto dtype : {LONGBOW_BF16, LONGBOW_F32}) {
        Shape shape = square(141, 64, dtype);
        shape.causal = false;
        check(shape);
    }
}

TEST(Forward, Windows) {
    for (const int window : {1, 17, 64, 100}) {
        Shape shape = square(203, 64, LONGBOW_BF16);
        shape.window = window;
        check(shape);
        shape.causal = false;
        check(shape);
    }
}

TEST(Forward, QueriesAtTheEndOfMoreKeys) {
    Shape shape = square(70, 80, LONGBOW_BF16);
    shape.key_length = 201;
    check(shape);
    shape.causal = false;
    check(shape);
}

TEST(Forward, FewerKeysThanQueries) {
    Shape shape = square(110, 64, LONGBOW_BF16);
    shape.key_length = 50;
    check(shape);
}

TEST(Forward, Ragged) {
    Shape shape = square(140, 64, LONGBOW_BF16);
    shape.batch = 4;
    shape.lengths = {140, 0, 65, 500};
    check(shape);
    shape.key_length = 170, shape.causal = false;
    check(shape);
}

TEST(Forward, NothingAtAll) {
    Shape shape = square(0, 64, LONGBOW_BF16);
    check(shape);
    shape.query_length = 20;
    check(shape);
}

TEST(Forward, FirstKeyBlock) {
    Shape shape = square(330, 64, LONGBOW_BF16);
    shape.slope = 0.01f;
    shape.first_key_block = {0, 1, 0, 3, 2, 5};
    check(shape);
    shape.dtype = LONGBOW_F32, shape.window = 100;
    check(shape);
}

TEST(Forward, Dropout) {
    for (const int keep : {26, 128, 230}) {
        for (const auto dtype : {LONGBOW_BF16, LONGBOW_F32}) {
            Shape shape = square(147, 64, dtype);
            shape.heads = 2, shape.dropout_keep = keep;
            check(shape);
        }
    }
    Shape wide = square(77, 256, LONGBOW_F32);
    wide.dropout_keep = 200;
    check(wide);
}

class Decode : public testing::TestWithParam<std::tuple<longbow_dtype, int, int>> {};

TEST_P(Decode, EqualsFp64) {
    const auto [dtype, head_dim, queries] = GetParam();
    for (const int keys : {1, 63, 700}) {
        Shape shape = square(queries, head_dim, dtype);
        shape.heads = 2, shape.key_length = keys;
        shape.slope = 0.01f;
        check(shape);
    }
}

INSTANTIATE_TEST_SUITE_P(Sizes, Decode,
                         testing::Combine(testing::Values(LONGBOW_BF16, LONGBOW_F16, LONGBOW_F32),
                                          testing::Values(64, 80, 96, 128, 256), testing::Values(1, 5)));

TEST(Decode, WindowLengthsAndDropout) {
    Shape shape = square(3, 64, LONGBOW_BF16);
    shape.batch = 3, shape.key_length = 900;
    shape.lengths = {900, 300, 899};
    check(shape);
    shape.lengths.clear();
    shape.window = 300, shape.dropout_keep = 200;
    check(shape);
    shape.window = 0, shape.first_key_block = {4, 12, 13};
    check(shape);
}

// A run that diverges must be seen to: the maximum of a row ignores NaNs, its sum does not. With three queries the keys
// are split, and the parts are combined.
TEST(Forward, NotANumberIsNotHidden) {
    for (const auto dtype : {LONGBOW_F32, LONGBOW_BF16, LONGBOW_F16}) {
        for (const int queries : {100, 3}) {
            Shape shape = square(queries, 64, dtype);
            shape.key_length = queries == 3 ? 700 : queries;
            const int spoilt = queries - 2;
            Case test(shape);
            emulator::options() = {};
            test.queries().set(0, 0, spoilt, 5, std::nan(""));
            test.forward();
            for (int row = 0; row < queries; ++row) {
                EXPECT_EQ(std::isnan(test.lse(row)), row == spoilt) << queries << " queries, row " << row;
                for (int d = 0; d < shape.head_dim; ++d) {
                    ASSERT_EQ(std::isnan(test.out().at(0, 0, row, d)), row == spoilt)
                        << queries << " queries, row " << row;
                }
            }
        }
    }
}

// For any head_dim, each eight rows must take a single pass over the banks of shared memory.
TEST(Forward, RowsOfMatricesMeetDifferentBanks) {
    for (const int head_dim : {64, 80, 96, 128, 256}) {
        emulator::bank_count() = {};
        check(square(70, head_dim, LONGBOW_BF16));
        EXPECT_GT(emulator::bank_count().phases, 0);
        EXPECT_EQ(emulator::bank_count().passes, emulator::bank_count().phases);
    }
}

}  // namespace
}  // namespace attention_test
