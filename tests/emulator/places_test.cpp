// Compares the kernels for a bias with parts by place with fp64: each part, sums of two, over shapes that are multiples
// of no tile.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "emulator/attention_case.h"
#include "emulator/check_case.h"

namespace attention_test {
namespace {

using Bias = Shape::Bias;
using Positions = PlaceParts::Positions;
constexpr std::uint64_t kSchedules = 2;

void check(const Shape& shape) { check_case(shape, Passes::both, kSchedules); }

using Fill = std::function<void(Shape&)>;

const std::vector<std::pair<std::string, Fill>>& parts() {
    static const std::vector<std::pair<std::string, Fill>> all = {
        {"terms", [](Shape& s) { s.places.terms = true; }},
        {"sinks", [](Shape& s) { s.window = 37, s.places.sinks = 5; }},
        {"query_slopes", [](Shape& s) { s.places.query_slopes = true; }},
        {"key_slopes", [](Shape& s) { s.places.key_slopes = true; }},
        {"positions", [](Shape& s) { s.places.positions = Positions::whole; }},
        {"slopes", [](Shape& s) { s.bias = s.bias == Bias::table ? Bias::slopes_and_table : Bias::slopes; }},
        {"table", [](Shape& s) { s.bias = s.bias == Bias::slopes ? Bias::slopes_and_table : Bias::table; }},
    };
    return all;
}

Shape bare(int length, int head_dim, longbow_dtype dtype) {
    Shape shape = square(length, head_dim, dtype);
    shape.bias = Bias::none;
    shape.slope = 0.05F;
    return shape;
}

class PairsOfParts : public testing::TestWithParam<longbow_dtype> {};

TEST_P(PairsOfParts, EqualFp64) {
    for (std::size_t first = 0; first < parts().size(); ++first) {
        for (std::size_t second = first; second < parts().size(); ++second) {
            SCOPED_TRACE(parts()[first].first + " + " + parts()[second].first);
            Shape shape = bare(131, 40, GetParam());
            parts()[first].second(shape);
            if (second != first) parts()[second].second(shape);
            check(shape);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Types, PairsOfParts, testing::Values(LONGBOW_F32, LONGBOW_BF16));

class TermsOfSize : public testing::TestWithParam<std::tuple<longbow_dtype, int>> {};

TEST_P(TermsOfSize, EqualFp64) {
    const auto [dtype, head_dim] = GetParam();
    Shape shape = bare(99, head_dim, dtype);
    shape.places.terms = true;
    check(shape);
}

INSTANTIATE_TEST_SUITE_P(Sizes, TermsOfSize,
                         testing::Combine(testing::Values(LONGBOW_F32, LONGBOW_BF16, LONGBOW_F16),
                                          testing::Values(64, 96, 128, 256)));

// Runs `shape` with each part alone.
void check_each(const Shape& shape) {
    for (const auto& [name, fill] : parts()) {
        SCOPED_TRACE(name);
        Shape with = shape;
        fill(with);
        check(with);
    }
}

TEST(Places, NotCausal) {
    Shape shape = bare(77, 64, LONGBOW_BF16);
    shape.causal = false;
    check_each(shape);
}

TEST(Places, RaggedBatches) {
    Shape shape = bare(90, 16, LONGBOW_F32);
    shape.batch = 3, shape.heads = 2, shape.lengths = {90, 0, 65};
    check_each(shape);
    shape.places.terms = shape.places.shared = true;
    check(shape);
}

TEST(Places, HeadsThatShareKeys) {
    Shape shape = bare(80, 16, LONGBOW_BF16);
    shape.batch = 2, shape.heads = 4, shape.kv_heads = 2;
    check_each(shape);
}

TEST(Places, UnequalLengths) {
    Shape shape = bare(70, 24, LONGBOW_F32);
    shape.key_length = 150;
    check_each(shape);
    shape.query_length = 110, shape.key_length = 50;
    check_each(shape);
}

TEST(Places, OneQueryOverACache) {
    for (const auto dtype : {LONGBOW_F32, LONGBOW_BF16}) {
        Shape shape = bare(1, 16, dtype);
        shape.heads = 2, shape.key_length = 303;
        check_each(shape);
    }
}

TEST(Places, Dropout) {
    Shape shape = bare(100, 16, LONGBOW_F32);
    shape.heads = 2, shape.dropout_keep = 200;
    check_each(shape);
}

// The sums of gates of long texts are large, and only their differences count.
TEST(Places, LargeTermsOfOppositeSigns) {
    Shape shape = bare(120, 16, LONGBOW_F32);
    shape.places.terms = true, shape.places.shift = -1e5;
    check(shape);
}

// The rows of the scores' gradients do not sum to zero then, from which the last entry of a table has its gradient.
TEST(Places, SinkLogits) {
    for (const auto bias : {Bias::table, Bias::slopes, Bias::slopes_and_table}) {
        Shape shape = bare(150, 16, LONGBOW_F32);
        shape.heads = 2, shape.bias = bias, shape.places.sink_logit = 2.0F;
        check(shape);
        shape.batch = 2, shape.lengths = {150, 70}, shape.places.terms = true;
        check(shape);
    }
}

TEST(Places, PositionsThatAreNotWhole) {
    Shape shape = bare(120, 16, LONGBOW_F32);
    shape.places.positions = Positions::real;
    shape.bias = Bias::slopes_and_table;
    check(shape);
    shape.places.query_slopes = shape.places.key_slopes = true;
    check(shape);
}

TEST(Places, SinksAndWindowsOfAnySize) {
    for (const auto dtype : {LONGBOW_BF16, LONGBOW_F32}) {
        for (const int window : {1, 64, 100}) {
            for (const int sinks : {1, 64, 70}) {
                SCOPED_TRACE(std::to_string(window) + " " + std::to_string(sinks));
                Shape shape = bare(330, 16, dtype);
                shape.window = window, shape.places.sinks = sinks;
                check(shape);
            }
        }
    }
    Shape shape = bare(200, 16, LONGBOW_BF16);
    shape.window = 20, shape.places.sinks = 4, shape.causal = false;
    check(shape);
    shape.causal = true, shape.query_length = 3, shape.key_length = 900;
    check(shape);
}

TEST(Places, FirstKeyBlock) {
    Shape shape = bare(330, 16, LONGBOW_BF16);
    shape.places.terms = true, shape.places.gate = -0.01;
    shape.first_key_block = {0, 1, 0, 3, 2, 5};
    check(shape);
    shape.dtype = LONGBOW_F32, shape.window = 100, shape.places.sinks = 70;
    check(shape);
}

}  // namespace
}  // namespace attention_test
