#include "longbow/probe/key_probe.h"

#include <gtest/gtest.h>

#include <cmath>

#include "longbow/core/error.h"

namespace longbow {

namespace {

TEST(KeyProbe, KeyTokensGainFromTheLongContextAndArePredictedWell) {
    const KeyWindows windows{1, 2, 1, 0};
    const std::vector<double> shorter = {9, 9, 9, 3.75, 4, 4.5, 9};
    const std::vector<double> longer = {1, 1, 1, 1.75, 1.75, 2.25, 6};
    // The first two have no full context; then: kept, gain of exactly 2, kept, loss too large, loss too large.
    EXPECT_EQ(key_tokens(shorter, longer, windows), (std::vector<bool>{false, false, true, false, true, false, false}));
}

TEST(KeyProbe, TheRowHasTheMeanOfKeyTokens) {
    std::vector<double> nll(12'000);
    std::vector<bool> keys(nll.size());
    for (std::size_t i = 0; i < nll.size(); ++i) {
        nll[i] = i % 3 == 0 ? 1.0 + 0.1 * static_cast<double>(i % 5) : 100.0;
        keys[i] = i % 3 == 0;
    }
    const auto row = key_row(Json::object(), nll, keys, {64, 1000, 16, 0});
    EXPECT_EQ(row["items"], 4000);
    EXPECT_EQ(row["targets"], 11'000);
    EXPECT_NEAR(row["nll"].get<double>(), 1.2, 1e-12);
    EXPECT_NEAR(row["key_ppl"].get<double>(), std::exp(1.2), 1e-12);
    EXPECT_LT(row["key_ppl_ci"][0].get<double>(), std::exp(1.2));
    EXPECT_GT(row["key_ppl_ci"][1].get<double>(), std::exp(1.2));
    const auto none = key_row(Json::object(), nll, std::vector<bool>(nll.size()), {64, 1000, 16, 0});
    EXPECT_EQ(none["items"], 0);
    EXPECT_TRUE(none["key_ppl"].is_null());
}

}  // namespace

}  // namespace longbow
