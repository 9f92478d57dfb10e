// Tests what methods that compute attention themselves have in common: steps of a generation, windows, dropout and half
// precision.
#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "longbow/position/position_method.h"
#include "unit/position/golden_case.h"

namespace longbow {
namespace {

constexpr std::int64_t kBatch = 2, kHeads = 3, kHeadDim = 4, kDim = 12, kLength = 9;

struct Form {
    std::string name, method;
    OptionMap options{};
};

class Attending : public testing::TestWithParam<Form> {
protected:
    Attending() {
        torch::manual_seed(5);
        method_ = make_position_method(GetParam().method, {2, kDim, kHeads, 8, GetParam().options});
        method_->to(at::kDouble);
        // Zeros and small numbers would hide what parameters do.
        for (const auto& parameter : method_->parameters()) parameter.uniform_(0.1, 1.0);
        x_ = torch::randn({kBatch, kLength, kDim}, at::kDouble);
        q_ = torch::randn({kBatch, kHeads, kLength, kHeadDim}, at::kDouble);
        k_ = torch::randn_like(q_);
        v_ = torch::randn_like(q_);
    }

    // Returns the attention of queries `from` .. `keys` - 1 to the first `keys` keys.
    at::Tensor attend(std::int64_t from, std::int64_t keys, PositionState* state, std::int64_t window = 0) {
        ScoredAttention in;
        in.q = q_.narrow(2, from, keys - from);
        in.k = k_.narrow(2, 0, keys);
        in.v = v_.narrow(2, 0, keys);
        in.bias.window = window;
        in.scale = 1.0 / std::sqrt(static_cast<double>(kHeadDim));
        return method_->attend(in, call(from, keys, state));
    }

    PositionCall call(std::int64_t from, std::int64_t keys, PositionState* state) {
        auto call = test::call_of(keys);
        call.positions = torch::arange(from, keys);
        call.x = x_.narrow(1, from, keys - from);
        call.state = state;
        return call;
    }

    torch::NoGradGuard no_grad_;
    std::shared_ptr<PositionMethod> method_;
    at::Tensor x_, q_, k_, v_;
};

TEST_P(Attending, StepsOfAGenerationEqualTheWholePass) {
    for (const std::int64_t window : {0, 3}) {
        const auto whole = attend(0, kLength, nullptr, window);
        EXPECT_EQ(whole.sizes(), v_.sizes());
        // The first steps are shorter than what a convolution reaches back.
        for (const auto& steps : {std::vector<std::int64_t>{1, 1, 1, 1, 1, 1, 1, 1, 1}, {4, 1, 3, 1}}) {
            PositionState state;
            std::int64_t keys = 0;
            for (const auto fresh : steps) {
                const auto found = attend(keys, keys + fresh, &state, window);
                EXPECT_LT(found.sub(whole.narrow(2, keys, fresh)).abs().max().item<double>(), 1e-12) << keys;
                keys += fresh;
            }
        }
    }
}

TEST_P(Attending, SeesNoLaterTokenAndNoneBeyondTheWindow) {
    const auto last = kLength - 1, window = std::int64_t{4};
    const auto whole = attend(0, kLength, nullptr), windowed = attend(0, kLength, nullptr, window);
    EXPECT_TRUE(windowed.narrow(2, 0, window).equal(whole.narrow(2, 0, window)));
    k_.select(2, last).add_(1.0);
    v_.select(2, last).add_(1.0);
    x_.select(1, last).add_(1.0);
    const auto changed = attend(0, kLength, nullptr);
    EXPECT_TRUE(changed.narrow(2, 0, last).allclose(whole.narrow(2, 0, last), 1e-12, 1e-12));
    const auto nearest = attend(0, kLength, nullptr, window);
    const auto hidden = last - window;  // by the window, from the last query alone
    k_.select(2, hidden).add_(1.0);
    v_.select(2, hidden).add_(1.0);
    const auto found = attend(0, kLength, nullptr, window);
    EXPECT_TRUE(found.select(2, last).allclose(nearest.select(2, last), 1e-12, 1e-12));
    EXPECT_FALSE(found.select(2, last - 1).equal(nearest.select(2, last - 1)));
}

TEST_P(Attending, DropsProbabilities) {
    ScoredAttention in;
    in.q = q_;
    in.k = k_;
    in.v = torch::ones_like(v_);
    in.scale = 0.5;
    const auto all = method_->attend(in, call(0, kLength, nullptr));
    in.dropout = 0.5;
    const auto some = method_->attend(in, call(0, kLength, nullptr));
    EXPECT_FALSE(some.allclose(all));
    in.dropout = 1.0;
    EXPECT_EQ(method_->attend(in, call(0, kLength, nullptr)).abs().max().item<double>(), 0.0);
}

TEST_P(Attending, WidensHalfPrecision) {
    method_->to(at::kFloat);
    const auto half = at::kBFloat16;
    const auto attend_in = [&](at::ScalarType type) {
        ScoredAttention in;
        in.q = q_.to(half).to(type);
        in.k = k_.to(half).to(type);
        in.v = v_.to(half).to(type);
        in.scale = 0.5;
        auto half_call = call(0, kLength, nullptr);
        half_call.x = x_.to(half).to(type);
        return method_->attend(in, half_call);
    };
    const auto found = attend_in(half);
    EXPECT_EQ(found.scalar_type(), half);
    EXPECT_TRUE(found.equal(attend_in(at::kFloat).to(half)));
}

INSTANTIATE_TEST_SUITE_P(Methods, Attending,
                         testing::Values(Form{"cope", "cope", {{"places", std::int64_t{3}}}}, Form{"dape", "dape"},
                                         Form{"stick_breaking", "stick_breaking"}, Form{"path", "path"},
                                         Form{"path_fox", "path", {{"fox", true}}}),
                         [](const auto& form) { return form.param.name; });

}  // namespace
}  // namespace longbow
