#include "longbow/probe/context_probe.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <algorithm>

#include "longbow/core/error.h"
#include "longbow/data/memory_stream.h"
#include "longbow/eval/evaluator.h"
#include "unit/model/tiny.h"

namespace longbow {

namespace {

std::unique_ptr<TokenStream> some_stream(std::size_t size) {
    std::vector<TokenId> ids(size);
    for (std::size_t i = 0; i < size; ++i) ids[i] = static_cast<TokenId>((i * i * 7 + i * 11 + 5) % test::kVocab);
    return stream_of_ids(std::move(ids), 3);
}

TEST(ContextProbe, TargetsHaveTheirContextAndFollowTheSeed) {
    const auto stream = some_stream(100);
    const auto targets = context_targets(*stream, 40, {.items = 500, .seed = 1});
    EXPECT_EQ(targets.size(), 500U);
    EXPECT_TRUE(std::is_sorted(targets.begin(), targets.end()));
    EXPECT_EQ(targets.front(), 40);
    EXPECT_EQ(targets.back(), 99);
    EXPECT_EQ(targets, context_targets(*stream, 40, {.items = 500, .seed = 1}));
    EXPECT_NE(targets, context_targets(*stream, 40, {.items = 500, .seed = 2}));
    EXPECT_THROW(context_targets(*stream, 100, {.items = 1}), UsageError);
}

// Windows of the paper's protocol with a stride of 1 give each target the same context.
TEST(ContextProbe, LossesAreThoseOfSlidingWindows) {
    const auto model = test::tiny_model(test::tiny_config());
    const auto stream = some_stream(60);
    EvalRequest request;
    request.length = 9;
    request.stride = 1;
    request.dtype = DType::fp64;
    const auto all = evaluate_tokens(*model, *stream, plan_evaluation(*stream, request));
    const std::vector<std::int64_t> targets = {9, 10, 17, 17, 59};
    const auto losses = context_losses(*model, *stream, targets, 9, DType::fp64, 20);
    ASSERT_EQ(losses.size(), targets.size());
    for (std::size_t i = 0; i < targets.size(); ++i)
        EXPECT_NEAR(losses[i], all[static_cast<std::size_t>(targets[i])], 1e-12);
}

TEST(ContextProbe, TheEffectiveContextIsTheLeastThatIsAsGood) {
    std::vector<double> base(40), noise(40);
    for (std::size_t i = 0; i < base.size(); ++i) {
        base[i] = 2.0 + 0.1 * static_cast<double>(i % 4);
        noise[i] = i % 2 == 0 ? 0.1 : -0.1;
    }
    const auto shifted = [&](double by, double spread) {
        auto values = base;
        for (std::size_t i = 0; i < values.size(); ++i) values[i] += by + spread * noise[i];
        return values;
    };
    // 16 is as good in the mean, and only 32 is so with confidence.
    const auto row = context_row(
        Json::object(), {{8, shifted(0.5, 0)}, {16, shifted(0.005, 1)}, {32, shifted(0.004, 0.01)}, {64, base}}, 8);
    EXPECT_EQ(row["items"], 40);
    EXPECT_EQ(row["effective_context"], 16);
    EXPECT_EQ(row["effective_context_bound"], 32);
    EXPECT_NEAR(row["contexts"][0]["nll"].get<double>(), 2.65, 1e-9);
    EXPECT_NEAR(row["contexts"][0]["gain"].get<double>(), 0, 1e-9);
    EXPECT_NEAR(row["contexts"][3]["gain"].get<double>(), 0.5, 1e-9);
    EXPECT_LT(row["contexts"][1]["gain_ci"][0].get<double>(), 0.495);
    EXPECT_GT(row["contexts"][1]["gain_ci"][1].get<double>(), 0.495);
}

}  // namespace

}  // namespace longbow
