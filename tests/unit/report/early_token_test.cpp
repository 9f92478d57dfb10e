// Tests the analysis of early tokens on losses whose decomposition is known: the gain is the sum of fewer early tokens
// and longer context.
#include "longbow/report/early_token.h"

#include <gmock/gmock.h>

#include <cmath>

#include "longbow/core/error.h"

namespace longbow {
namespace {

using testing::HasSubstr;

EvalResult row_of(std::int64_t length, std::int64_t stride) {
    EvalResult row;
    row.name = "run";
    row.position = "alibi";
    row.split = "valid";
    row.train_length = 64;
    row.length = length;
    row.stride = stride;
    row.tokens = 4096;
    row.position_begin = {0, 1, 2};
    row.nll_by_position = {5, 4, 3};
    return row;
}

// Returns losses in which each window's first token costs `early` and the others `later`.
std::vector<double> windows_of(std::int64_t length, double early, double later) {
    std::vector<double> nll(4096, later);
    for (std::size_t i = 0; i < nll.size(); i += static_cast<std::size_t>(length)) nll[i] = early;
    return nll;
}

EarlyTokenAnalysis analysis_of(double context_gain) {
    const std::vector<std::vector<double>> disjoint{windows_of(64, 9, 3),
                                                    windows_of(256, 9 - context_gain, 3 - context_gain)};
    const std::vector<std::vector<double>> sliding{std::vector<double>(4096, 3),
                                                   std::vector<double>(4096, 3 - context_gain)};
    return analyse_early_tokens({{row_of(64, 64), row_of(64, 16), {}}, {row_of(256, 256), row_of(256, 16), {}}},
                                disjoint, sliding);
}

TEST(EarlyToken, AllOfTheGainWhenContextBringsNone) {
    const auto analysis = analysis_of(0);
    EXPECT_DOUBLE_EQ(analysis.lengths[0].early_cost.value, 6.0 / 64);
    EXPECT_DOUBLE_EQ(analysis.lengths[1].early_cost.value, 6.0 / 256);
    ASSERT_EQ(analysis.gains.size(), 1U);
    EXPECT_DOUBLE_EQ(analysis.gains[0].gain.value, 6.0 / 64 - 6.0 / 256);
    EXPECT_DOUBLE_EQ(analysis.gains[0].context.value, 0);
    EXPECT_DOUBLE_EQ(analysis.gains[0].share, 1);
    EXPECT_THAT(early_token_text(analysis), HasSubstr("explains 100 % of the gain"));
}

TEST(EarlyToken, GainIsEarlyPlusContext) {
    const auto gain = analysis_of(0.25F).gains.at(0);
    EXPECT_NEAR(gain.context.value, 0.25, 1e-6);
    EXPECT_NEAR(gain.early.value, 6.0 / 64 - 6.0 / 256, 1e-6);
    EXPECT_NEAR(gain.gain.value, gain.early.value + gain.context.value, 1e-9);
    EXPECT_FALSE(gain.gain.interval);  // there are only 4 blocks
    EXPECT_THAT(early_token_text(analysis_of(0.25F)), HasSubstr("No intervals: 4 blocks"));
    EXPECT_TRUE(early_token_json(analysis_of(0.25F)).at("gains").at(0).at("gain").at("ci").is_null());
}

TEST(EarlyToken, ContextThatHarmsAndNoGainAtAllAreSaid) {
    EXPECT_THAT(early_token_text(analysis_of(-0.05F)), HasSubstr("the longer context does harm"));
    const auto worse = analysis_of(-1);
    EXPECT_TRUE(std::isnan(worse.gains.at(0).share));
    EXPECT_THAT(early_token_text(worse), HasSubstr("no gain to explain"));
    EXPECT_TRUE(early_token_json(worse).at("gains").at(0).at("share_early").is_null());
}

TEST(EarlyToken, TheFigureStandsAlone) {
    const auto svg = early_token_svg(analysis_of(0.25F));
    EXPECT_EQ(svg.rfind("<svg xmlns=\"http://www.w3.org/2000/svg\"", 0), 0U);
    EXPECT_THAT(svg, HasSubstr("sliding, stride 16"));
    EXPECT_THAT(svg, testing::Not(HasSubstr("nan")));
}

TEST(EarlyToken, ADivergedModelIsSaidToBe) {
    auto bad = row_of(64, 64), slow = row_of(64, 16), far = row_of(256, 256), far_slow = row_of(256, 16);
    for (auto* row : {&bad, &slow, &far, &far_slow}) row->nll = row->ppl = NAN;
    const std::vector<double> nothing(4096, NAN);
    const auto analysis =
        analyse_early_tokens({{bad, slow, {}}, {far, far_slow, {}}}, {nothing, nothing}, {nothing, nothing});
    const auto text = early_token_text(analysis);
    EXPECT_THAT(text, HasSubstr("diverged"));
    EXPECT_THAT(text, HasSubstr("has no gain"));
    EXPECT_THAT(text, testing::Not(HasSubstr("nan")));
    EXPECT_THAT(early_token_svg(analysis), testing::Not(HasSubstr("nan")));
    EXPECT_TRUE(Json::parse(early_token_json(analysis).dump()).at("lengths").at(0).at("ppl").is_null());
}

TEST(EarlyToken, UnlikeTargetsAreRefused) {
    EXPECT_THROW(analyse_early_tokens({{row_of(64, 64), row_of(64, 16), {}}}, {std::vector<double>(10)},
                                      {std::vector<double>(11)}),
                 DataError);
    EXPECT_THROW(analyse_early_tokens({}, {}, {}), Error);
}

}  // namespace
}  // namespace longbow
