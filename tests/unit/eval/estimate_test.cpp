// Tests the estimate of an evaluation's floating point operations and of its time.
#include "longbow/eval/estimate.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>
#include <filesystem>

#include "longbow/data/memory_stream.h"
#include "longbow/model/flops.h"
#include "unit/model/tiny.h"

namespace longbow {
namespace {

std::unique_ptr<TokenStream> stream_of(std::int64_t tokens) {
    std::vector<TokenId> ids(static_cast<std::size_t>(tokens));
    for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<TokenId>(i % test::kVocab);
    return stream_of_ids(std::move(ids), 3);
}

std::vector<double> evaluate_tokens(LanguageModel& model, const TokenStream& stream, const EvalRequest& request,
                                    const EvalOptions& options = {}) {
    return longbow::evaluate_tokens(model, stream, plan_evaluation(stream, request), options);
}

EvalRequest request_for(std::int64_t length, std::int64_t stride) {
    EvalRequest request;
    request.length = length;
    request.stride = stride;
    request.dtype = DType::fp64;
    return request;
}

TEST(Estimate, FlopsAreThoseOfTheProducts) {
    const auto config = test::tiny_config();
    const ForwardFlops forward(config, test::kVocab);
    // Per token: 4 dim^2 + 2 dim ffn_dim weights in each of two layers and a tied output of vocabulary x dim; and 4 dim
    // for each layer, token and key.
    const double body = 2.0 * 2 * (4 * 24 * 24 + 2 * 24 * 40), head = 2.0 * test::kVocab * 24, key = 4.0 * 24 * 2;
    EXPECT_DOUBLE_EQ(forward.window(8, 8), 8 * (body + head) + key * 36);
    EXPECT_DOUBLE_EQ(forward.window(8, 2), 8 * body + 2 * head + key * 36);
    EXPECT_DOUBLE_EQ(forward.token(1), body + head + key);

    const auto stream = stream_of(64);
    EXPECT_DOUBLE_EQ(evaluation_flops(config, test::kVocab, plan_evaluation(*stream, request_for(8, 8)).windows),
                     8 * forward.window(8, 8));
    // Windows of stride 2: the first four become one pass.
    EXPECT_DOUBLE_EQ(evaluation_flops(config, test::kVocab, plan_evaluation(*stream, request_for(8, 2)).windows),
                     forward.window(8, 8) + 28 * forward.window(8, 2));
}

TEST(Estimate, EachRequestHasItsSpeed) {
    torch::set_num_threads(1);
    for (const auto* method : {"alibi", "learned"}) {  // a learned table has 64 positions, which must not be exceeded
        const auto model = test::tiny_model(test::tiny_config(method));
        model->train();
        const auto stream = stream_of(300);
        EvalPlans plans;
        const auto plan = [&](std::int64_t length, std::int64_t stride) {
            return &plans.of(*stream, request_for(length, stride));
        };
        EXPECT_EQ(plan(8, 8), plan(8, 8));  // planned only once
        const auto speeds = seconds_per_flop(*model, *stream, {plan(64, 64), plan(8, 8), plan(16, 1)}, 0.01);
        ASSERT_EQ(speeds.size(), 3U);
        for (const double speed : speeds) {
            EXPECT_TRUE(std::isfinite(speed));
            EXPECT_GT(speed, 0);
        }
        EXPECT_TRUE(model->is_training());
    }
}

TEST(Estimate, AFinishedSeriesIsKeptForItsCaller) {
    torch::set_num_threads(1);
    const auto model = test::tiny_model(test::tiny_config());
    const auto stream = stream_of(300);
    EvalOptions options;
    options.partial = std::filesystem::path(testing::TempDir()) / "kept.partial";
    std::filesystem::remove(options.partial);
    options.keep_partial = true;
    const auto flops =
        evaluation_flops(model->config(), test::kVocab, plan_evaluation(*stream, request_for(8, 4)).windows);
    WorkProgress first(flops), second(flops);
    options.whole = &first;
    const auto nll = evaluate_tokens(*model, *stream, request_for(8, 4), options);
    EXPECT_NEAR(first.share(), 1, 1e-12);
    EXPECT_GE(first.seconds_left(1), 0);
    EXPECT_TRUE(std::filesystem::exists(options.partial));
    options.whole = &second;
    EXPECT_EQ(evaluate_tokens(*model, *stream, request_for(8, 4), options), nll);
    EXPECT_NEAR(second.share(), 1, 1e-12);
    EXPECT_LT(second.seconds_left(1), 0) << "nothing was computed again";
    options.keep_partial = false;
    evaluate_tokens(*model, *stream, request_for(8, 4), options);
    EXPECT_FALSE(std::filesystem::exists(options.partial));
}

}  // namespace
}  // namespace longbow
