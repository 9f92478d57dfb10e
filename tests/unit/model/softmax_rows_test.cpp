// Compares the loss's softmax over rows with ATen's in fp64.
#include "model/softmax_rows.h"

#include <gtest/gtest.h>
#include <torch/nn/functional.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "unit/model/tiny.h"

namespace longbow {
namespace {

using test::largest_difference;

TEST(SoftmaxRows, EqualsAtenInFp64) {
    for (const std::int64_t words : {1, 7, 37, 1024, 5000, 70000}) {
        for (const double spread : {0.1, 5.0, 60.0}) {
            SCOPED_TRACE(testing::Message() << words << " words, spread " << spread);
            torch::manual_seed(words);
            const auto logits = torch::randn({9, words}).mul(spread);
            const auto target = torch::randint(words, {9, 1}, torch::kLong);
            const auto log_p = logits.to(torch::kDouble).log_softmax(1);
            const auto wanted = log_p.gather(1, target);
            const auto gradient = log_p.exp().scatter_add(1, target, torch::full({9, 1}, -1.0, torch::kDouble));
            const double tolerance = 2e-7 * std::max(1.0, wanted.abs().max().item<double>());
            EXPECT_LT(largest_difference(log_likelihood(logits, target), wanted), tolerance);
            const auto in_place = logits.clone();
            EXPECT_LT(largest_difference(log_likelihood_and_gradient_(in_place, target), wanted), tolerance);
            EXPECT_LT(largest_difference(in_place, gradient), 5e-7);
        }
    }
}

TEST(SoftmaxRows, RowsOfAWiderTensorAreServed) {
    const auto all = torch::randn({12, 50});
    const auto logits = all.slice(1, 3, 40);
    const auto target = torch::arange(12).unsqueeze(1);
    ASSERT_TRUE(softmax_rows_serves(logits));
    EXPECT_LT(largest_difference(log_likelihood(logits, target), logits.log_softmax(1).gather(1, target)), 1e-6);
    const auto beside = all.slice(1, 40).clone();
    log_likelihood_and_gradient_(logits, target);
    EXPECT_TRUE(all.slice(1, 40).equal(beside));
    EXPECT_FALSE(softmax_rows_serves(all.t()));
    EXPECT_FALSE(softmax_rows_serves(all.to(torch::kDouble)));
}

// A loss that is NaN must show, in its own row only. A word that cannot come (logit -infinity) has no gradient.
TEST(SoftmaxRows, NanAndInfinityShow) {
    const float infinity = std::numeric_limits<float>::infinity();
    auto logits = torch::randn({4, 20});
    logits[0][3] = std::nanf("");
    logits[1][5] = infinity;
    logits[2][7] = -infinity;
    const auto target = torch::full({4, 1}, 2, torch::kLong);
    const auto wanted = logits.log_softmax(1).gather(1, target);
    const auto gradient = logits.clone();
    const auto found = log_likelihood_and_gradient_(gradient, target);
    EXPECT_TRUE(std::isnan(found[0].item<float>()));
    EXPECT_TRUE(std::isnan(found[1].item<float>()));
    EXPECT_LT(largest_difference(found.slice(0, 2), wanted.slice(0, 2)), 1e-6);
    EXPECT_EQ(gradient[2][7].item<float>(), 0.0f);
    EXPECT_TRUE(gradient[0].isnan().all().item<bool>());
}

TEST(SoftmaxRows, RefusesATargetThatIsNoWord) {
    const auto logits = torch::randn({2, 5});
    EXPECT_THROW(log_likelihood(logits, torch::tensor({{1}, {5}})), c10::Error);
    EXPECT_THROW(log_likelihood(logits, torch::tensor({{-1}, {0}})), c10::Error);
}

}  // namespace
}  // namespace longbow
