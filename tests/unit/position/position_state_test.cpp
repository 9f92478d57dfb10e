// Tests tensors that grow while tokens are generated.
#include "longbow/position/position_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include "unit/error_of.h"

namespace longbow {
namespace {

TEST(GrowingTensor, HasWhatWasPutAlongAnyDimension) {
    const torch::NoGradGuard no_grad;
    for (const std::int64_t dim : {0, 1, 2, -1}) {
        const auto whole = torch::randn({11, 11, 11}).narrow(dim, 0, 11);
        GrowingTensor tensor;
        std::int64_t length = 0;
        for (const std::int64_t fresh : {3, 1, 1, 5, 1}) {
            const auto found = tensor.put(whole.narrow(dim, length, fresh), length, dim);
            length += fresh;
            EXPECT_TRUE(found.equal(whole.narrow(dim, 0, length))) << dim << " " << length;
        }
        // The last token went into memory that was there.
        EXPECT_GT(tensor.buffer().size(dim), length);
    }
}

TEST(GrowingTensor, IsForGenerationFromTheFirstTokenOn) {
    GrowingTensor tensor;
    const auto fresh = torch::ones({1, 2});
    EXPECT_THAT(test::error_of([&] { tensor.put(fresh, 0, 1); }), testing::HasSubstr("without gradients"));
    const torch::NoGradGuard no_grad;
    EXPECT_THAT(test::error_of([&] { tensor.put(fresh, 3, 1); }), testing::HasSubstr("first tokens"));
}

TEST(PositionState, KeepsTensorsByName) {
    const torch::NoGradGuard no_grad;
    PositionState state;
    const auto gates = torch::randn({1, 2, 6}), places = torch::arange(6);
    for (std::int64_t keys = 1; keys <= 6; ++keys) {
        const auto found = state.append("gates", gates.narrow(2, keys - 1, 1), keys, 2);
        EXPECT_TRUE(found.equal(gates.narrow(2, 0, keys)));
        EXPECT_TRUE(state.append("places", places.narrow(0, keys - 1, 1), keys, 0).equal(places.narrow(0, 0, keys)));
    }
}

}  // namespace
}  // namespace longbow
