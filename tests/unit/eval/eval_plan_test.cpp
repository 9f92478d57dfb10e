// Tests the protocols' windows: small cases worked out by hand, and properties that hold for every length and stride.
#include "longbow/eval/eval_plan.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "longbow/core/error.h"
#include "unit/error_of.h"

namespace longbow {
namespace {

using Windows = std::vector<EvalWindow>;

Windows plan(const std::string& protocol, std::int64_t tokens, std::int64_t length, std::int64_t stride = 0,
             std::vector<std::int64_t> documents = {}) {
    return plan_windows({protocol, length, stride, tokens, std::move(documents)});
}

std::vector<std::int64_t> scored(const Windows& windows) {
    std::vector<std::int64_t> targets;
    for (const auto& window : windows) {
        for (auto t = window.score_begin; t < window.end; ++t) targets.push_back(t);
    }
    return targets;
}

std::vector<std::int64_t> range(std::int64_t begin, std::int64_t end) {
    std::vector<std::int64_t> values;
    for (auto i = begin; i < end; ++i) values.push_back(i);
    return values;
}

TEST(EvalPlan, PaperNonOverlappingScoresTheShortLastBlock) {
    EXPECT_EQ(plan("paper", 10, 4), (Windows{{0, 4, 0}, {4, 8, 4}, {8, 10, 8}}));
}

TEST(EvalPlan, PaperSlidingKeepsLengthMinusStrideOfContext) {
    EXPECT_EQ(plan("paper", 10, 4, 2), (Windows{{0, 2, 0}, {0, 4, 2}, {2, 6, 4}, {4, 8, 6}, {6, 10, 8}}));
    EXPECT_EQ(plan("paper", 7, 4, 3), (Windows{{0, 3, 0}, {2, 6, 3}, {5, 7, 6}}));
}

TEST(EvalPlan, PaperScoresEveryTargetOnceWithinTheLength) {
    for (std::int64_t length = 1; length <= 9; ++length) {
        for (std::int64_t stride = 1; stride <= length; ++stride) {
            for (std::int64_t tokens = 1; tokens <= 40; ++tokens) {
                const auto windows = plan("paper", tokens, length, stride);
                EXPECT_EQ(scored(windows), range(0, tokens));
                EXPECT_EQ(static_cast<std::int64_t>(windows.size()), (tokens + stride - 1) / stride);
                for (const auto& w : windows) {
                    EXPECT_LE(w.begin, w.score_begin);
                    EXPECT_LE(w.end - w.begin, length);  // a target sees at most length - 1 tokens before its input
                    EXPECT_LE(w.score_begin - w.begin, length - stride);
                    if (w.begin > 0) {
                        EXPECT_EQ(w.score_begin - w.begin, length - stride);
                    }
                    EXPECT_FALSE(w.boundary_first);
                }
            }
        }
    }
}

TEST(EvalPlan, HfLeavesOutTheFirstTokenAndSlidesByHalf) {
    // Windows of 4 tokens every 2: [0,4) scores 1..3, [2,6) scores 4,5, [4,8) scores 6,7, [6,9) scores 8. Inputs are
    // one place further right.
    EXPECT_EQ(plan("hf", 9, 4), (Windows{{1, 4, 1}, {3, 6, 4}, {5, 8, 6}, {7, 9, 8}}));
    // Without overlap, the first token of each window is not scored; a last window of one token scores nothing.
    EXPECT_EQ(plan("hf", 9, 4, 4), (Windows{{1, 4, 1}, {5, 8, 5}}));
    // The loop ends with the first window that reaches the end.
    EXPECT_EQ(plan("hf", 8, 4, 1).size(), 5U);
}

TEST(EvalPlan, HfScoresAllButTheFirstTokenOfWindowsThatOverlap) {
    for (std::int64_t length = 2; length <= 9; ++length) {
        for (std::int64_t stride = 1; stride < length; ++stride) {
            for (std::int64_t tokens = 2; tokens <= 40; ++tokens) {
                const auto windows = plan("hf", tokens, length, stride);
                EXPECT_EQ(scored(windows), range(1, tokens));
                for (const auto& w : windows) EXPECT_LE(w.end - w.begin, length - 1);
            }
        }
    }
}

Windows plan_with(const std::string& protocol, std::int64_t tokens, std::int64_t length, std::int64_t stride, Bos bos,
                  std::vector<std::int64_t> documents = {}) {
    EvalPlanRequest request{protocol, length, stride, tokens, std::move(documents)};
    request.bos = bos;
    return plan_windows(request);
}

TEST(EvalPlan, ABosStandsWhereItIsAskedFor) {
    for (const auto* protocol : {"hf", "yarn"}) {
        EXPECT_EQ(plan_with(protocol, 9, 4, 2, Bos::never), plan("hf", 9, 4));
        // A BOS and 9 tokens, as one text of 10: windows at 0, 2, 4 and 6. The BOS is the first input, and the first
        // token is scored.
        EXPECT_EQ(plan_with(protocol, 9, 4, 2, Bos::first),
                  (Windows{{0, 3, 0, true}, {2, 5, 3}, {4, 7, 5}, {6, 9, 7}}));
        EXPECT_EQ(plan_with(protocol, 9, 4, 4, Bos::first), (Windows{{0, 3, 0, true}, {4, 7, 4}, {8, 9, 8}}));
        // A BOS and 3 tokens a window, at 0, 2, 4 and 6.
        EXPECT_EQ(plan_with(protocol, 9, 4, 2, Bos::each_window),
                  (Windows{{0, 3, 0, true}, {2, 5, 3, true}, {4, 7, 5, true}, {6, 9, 7, true}}));
        EXPECT_EQ(plan_with(protocol, 9, 4, 3, Bos::each_window),
                  (Windows{{0, 3, 0, true}, {3, 6, 3, true}, {6, 9, 6, true}}));
        // With a stride of the length, the BOS takes the place of every fourth token, which no window has.
        EXPECT_EQ(plan_with(protocol, 9, 4, 4, Bos::each_window),
                  (Windows{{0, 3, 0, true}, {4, 7, 4, true}, {8, 9, 8, true}}));
        // Documents of 5 and 4 tokens.
        EXPECT_EQ(plan_with(protocol, 9, 4, 2, Bos::first, {5, 9}),
                  (Windows{{0, 3, 0, true}, {2, 5, 3}, {5, 8, 5, true}, {7, 9, 8}}));
        EXPECT_EQ(plan_with(protocol, 1, 4, 2, Bos::each_window), (Windows{{0, 1, 0, true}}));
    }
    EvalPlanRequest paper{"paper", 4, 0, 9, {}};
    paper.bos = Bos::first;
    EXPECT_THAT(test::error_of<UsageError>([&] { check_plan(paper); }),
                testing::AllOf(testing::HasSubstr("keeps its own rule"), testing::HasSubstr("protocol hf or yarn")));
}

TEST(EvalPlan, EveryTargetThatFollowsSomethingIsScoredOnce) {
    for (std::int64_t length = 2; length <= 7; ++length) {
        for (std::int64_t stride = 1; stride < length; ++stride) {
            for (std::int64_t tokens = 2; tokens <= 25; ++tokens) {
                for (const auto bos : {Bos::first, Bos::each_window}) {
                    const auto windows = plan_with("hf", tokens, length, stride, bos);
                    EXPECT_EQ(scored(windows), range(0, tokens));
                    for (const auto& w : windows) EXPECT_LE(w.end - w.begin, length - 1);
                }
            }
        }
    }
}

TEST(EvalPlan, YarnTakesEachDocumentApartBehindABos) {
    EXPECT_EQ(plan("yarn", 9, 4, 3, {4, 9}),
              (Windows{{0, 3, 0, true}, {3, 4, 3, true}, {4, 7, 4, true}, {7, 9, 7, true}}));
    EXPECT_EQ(plan("yarn", 600, 400).size(), 2U);  // at 0 and 256
    EXPECT_EQ(plan("yarn", 600, 400)[1], (EvalWindow{256, 600, 399, true}));
    EXPECT_EQ(default_stride("yarn", 100), 100);
    EvalPlanRequest request{"yarn", 4, 0, 12, {5, 7, 12}};
    request.ends_with_boundary = true;  // documents of 4, 1 and 4 tokens
    EXPECT_EQ(plan_windows(request), (Windows{{0, 3, 0, true}, {5, 6, 5, true}, {7, 10, 7, true}}));
    request.stride = 2;
    EXPECT_EQ(plan_windows(request),
              (Windows{{0, 3, 0, true}, {2, 4, 3, true}, {5, 6, 5, true}, {7, 10, 7, true}, {9, 11, 10, true}}));
    request.min_document_tokens = 4;
    EXPECT_EQ(planned_stretches(request), (std::vector<std::pair<std::int64_t, std::int64_t>>{{0, 4}, {7, 11}}));
    EXPECT_EQ(longest_stretch(request), 5);  // with the BOS
    request.tokens = 9;                      // cuts the last document short
    EXPECT_EQ(planned_stretches(request).size(), 1U);
    request.min_document_tokens = 5;
    EXPECT_THAT(test::error_of<UsageError>([&] { plan_windows(request); }),
                testing::HasSubstr("--min-document-tokens"));
}

TEST(EvalPlan, ATruncatedDocumentHasOneWindow) {
    EvalPlanRequest request{"yarn", 4, 0, 12, {5, 7, 12}};
    request.truncate = true;
    EXPECT_EQ(plan_windows(request), (Windows{{0, 3, 0, true}, {5, 7, 5, true}, {7, 10, 7, true}}));
    request.bos = Bos::never;
    EXPECT_EQ(plan_windows(request), (Windows{{1, 4, 1}, {6, 7, 6}, {8, 11, 8}}));
    request.stride = 2;
    EXPECT_THAT(test::error_of<UsageError>([&] { check_plan(request); }), testing::HasSubstr("omit --stride"));
    request.stride = 0;
    request.protocol = "paper";
    request.bos.reset();
    EXPECT_THAT(test::error_of<UsageError>([&] { check_plan(request); }), testing::HasSubstr("use protocol yarn"));
}

TEST(EvalPlan, LmEvalMovesTheLastWindowBack) {
    // The tool's own example (34 tokens, length 10): the last window predicts 4 tokens from 10 inputs.
    EXPECT_EQ(plan("lm-eval", 34, 10), (Windows{{0, 10, 0}, {10, 20, 10}, {20, 30, 20}, {24, 34, 30}}));
    EXPECT_EQ(plan("lm-eval", 6, 10), (Windows{{0, 6, 0}}));
    for (std::int64_t tokens = 1; tokens <= 40; ++tokens)
        EXPECT_EQ(scored(plan("lm-eval", tokens, 7)), range(0, tokens));
}

TEST(EvalPlan, LlamacppScoresSecondHalvesOfWholeChunks) {
    // 20 tokens and the boundary make chunks of 8 inputs at 0 and 8, with 5 left over. 4 = 8/2 predictions are context,
    // and the last input has no target.
    EXPECT_EQ(plan("llamacpp", 20, 8), (Windows{{0, 7, 4, true}, {8, 15, 12, true}}));
    EXPECT_EQ(plan("llamacpp", 15, 8).size(), 2U);
    EXPECT_THROW(plan("llamacpp", 14, 8), UsageError);
    EXPECT_EQ(plan("llamacpp", 30, 7)[1], (EvalWindow{7, 13, 10, true}));
}

TEST(EvalPlan, DocumentsAreWindowedApart) {
    EXPECT_EQ(plan("paper", 10, 4, 0, {5, 6, 10}), (Windows{{0, 4, 0}, {4, 5, 4}, {5, 6, 5}, {6, 10, 6}}));
    // The last document is cut at the stream's 7 tokens.
    EXPECT_EQ(plan("paper", 7, 4, 2, {5, 10}), (Windows{{0, 2, 0}, {0, 4, 2}, {2, 5, 4}, {5, 7, 5}}));
    EXPECT_EQ(plan("lm-eval", 12, 4, 0, {6, 12}), (Windows{{0, 4, 0}, {2, 6, 4}, {6, 10, 6}, {8, 12, 10}}));
    EXPECT_EQ(plan("hf", 10, 4, 4, {5, 6, 10}), (Windows{{1, 4, 1}, {7, 10, 7}}));
}

TEST(EvalPlan, KnowsWhatNoWindowReaches) {
    EvalPlanRequest request{"paper", 300, 0, 300, {}};
    EXPECT_EQ(longest_stretch(request), 300);
    EXPECT_FALSE(warn_if_unreached(request));
    request.length = 301;
    EXPECT_TRUE(warn_if_unreached(request));
    request.document_ends = {100, 250, 1000};  // cut at the 300 tokens: documents of 100, 150 and 50
    EXPECT_EQ(longest_stretch(request), 150);
    request.length = 151;
    EXPECT_TRUE(warn_if_unreached(request));
    request.length = 150;
    EXPECT_FALSE(warn_if_unreached(request));
}

TEST(EvalPlan, ALengthThatIsNamedTwiceIsUsedOnce) {
    EXPECT_EQ(distinct_lengths({64, 16, 64, 64, 16, 8}), (std::vector<std::int64_t>{64, 16, 8}));
}

TEST(EvalPlan, RefusesWhatAProtocolDoesNotKnow) {
    EXPECT_THROW(plan("papr", 10, 4), UsageError);
    EXPECT_THROW(plan("paper", 10, 0), UsageError);
    EXPECT_THROW(plan("paper", 10, 4, 5), UsageError);
    EXPECT_THROW(plan("paper", 10, 4, -1), UsageError);
    EXPECT_THROW(plan("hf", 10, 1), UsageError);
    EXPECT_THROW(plan("hf", 1, 4), UsageError);
    EXPECT_THROW(plan("lm-eval", 10, 4, 2), UsageError);
    EXPECT_THROW(plan("llamacpp", 40, 4, 2), UsageError);
    EXPECT_THROW(plan("llamacpp", 40, 4, 0, {40}), UsageError);
    try {
        plan("papr", 10, 4);
    } catch (const UsageError& error) {
        EXPECT_THAT(error.what(), testing::HasSubstr("did you mean 'paper'"));
    }
}

TEST(EvalPlan, MergedWindowsScoreTheSameTargetsFromTheSamePlaces) {
    const auto merged = merge_windows(plan("paper", 10, 4, 1));
    EXPECT_EQ(merged, (Windows{{0, 4, 0}, {1, 5, 4}, {2, 6, 5}, {3, 7, 6}, {4, 8, 7}, {5, 9, 8}, {6, 10, 9}}));
    for (std::int64_t length = 1; length <= 9; ++length) {
        for (std::int64_t stride = 1; stride <= length; ++stride) {
            const auto windows = plan("paper", 40, length, stride);
            const auto fewer = merge_windows(windows);
            std::set<std::pair<std::int64_t, std::int64_t>> places, merged_places;  // (target, its place in its window)
            for (const auto& w : windows)
                for (auto t = w.score_begin; t < w.end; ++t) places.emplace(t, t - w.begin);
            for (const auto& w : fewer) {
                EXPECT_LE(w.end - w.begin, length);
                for (auto t = w.score_begin; t < w.end; ++t) merged_places.emplace(t, t - w.begin);
            }
            EXPECT_EQ(places, merged_places);
        }
    }
    EXPECT_EQ(merge_windows(plan("llamacpp", 20, 8)), plan("llamacpp", 20, 8));
}

}  // namespace
}  // namespace longbow
