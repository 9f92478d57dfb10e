// Tests what a key-value cache keeps beside keys and values.
#include <gtest/gtest.h>
#include <torch/types.h>

#include "longbow/model/language_model.h"

namespace longbow {
namespace {

TEST(KvCache, KeepsFarKeysAndStatesByLayer) {
    const torch::NoGradGuard no_grad;
    KvCache cache;
    const auto keys = torch::randn({2, 2, 6, 4});  // [layers, kv_heads, length, head_dim]
    for (std::int64_t length = 0; length < 6; ++length) {
        for (std::int64_t layer = 0; layer < 2; ++layer) {
            const auto fresh = keys.narrow(0, layer, 1).narrow(2, length, 1);
            const auto place = static_cast<std::size_t>(layer);
            const auto expected = keys.narrow(0, layer, 1).narrow(2, 0, length + 1);
            const auto [key, value] = cache.append(place, fresh, fresh.neg());
            EXPECT_TRUE(key.equal(expected));
            EXPECT_TRUE(value.equal(expected.neg()));
            EXPECT_TRUE(cache.append_far(place, fresh.mul(2)).equal(expected.mul(2)));
            EXPECT_TRUE(cache.state(place).append("key", fresh, length + 1, 2).equal(expected));
        }
        ++cache.length;
    }
    EXPECT_FALSE(cache.positions.defined());
}

}  // namespace
}  // namespace longbow
