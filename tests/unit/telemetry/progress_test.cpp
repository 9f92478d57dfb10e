// Tests progress lines: their columns, the time that is left, and progress that a child process reports.
#include "longbow/telemetry/progress.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "longbow/core/strings.h"

namespace longbow {
namespace {

std::vector<ProgressColumn> columns(const std::string& name) {
    return {{"ETA 0:00:32"},           {"41 %"},          {name, /*can_be_cut=*/true}, {""},
            {"43,000/126,124 tokens"}, {"30.1K tokens/s"}};
}

TEST(Progress, ColumnsAreDroppedByWidthFromTheLast) {
    const auto name = std::string("alibi/seed-1, length 512");
    EXPECT_EQ(progress_text(columns(name), 200),
              "ETA 0:00:32  41 %  alibi/seed-1, length 512  43,000/126,124 tokens  30.1K tokens/s");
    EXPECT_EQ(progress_text(columns(name), 80), "ETA 0:00:32  41 %  alibi/seed-1, length 512  43,000/126,124 tokens");
    EXPECT_EQ(progress_text(columns(name), 40), "ETA 0:00:32  41 %  alibi/seed-1, lengt..");
    EXPECT_EQ(progress_text(columns(name), 20), "ETA 0:00:32  41 %");
    EXPECT_EQ(progress_text(columns(name), 6), "ETA ..") << "the first is cut rather than left out";
    EXPECT_EQ(progress_text(columns(name)),
              "alibi/seed-1, length 512  ETA 0:00:32  41 %  43,000/126,124 tokens  30.1K tokens/s")
        << "a plain line has all, and begins with the name, as the other lines of a log do";
    for (int width = 1; width < 120; ++width)
        EXPECT_LE(display_width(progress_text(columns("日本語/seed-1, length 512"), width)), width);
}

TEST(Progress, WideNamesAreCutByColumns) {
    EXPECT_EQ(progress_text(columns("日本語の実験, length 512"), 31), "ETA 0:00:32  41 %  日本語の実..");
    EXPECT_EQ(progress_text(columns("a\nb"), 80), "ETA 0:00:32  41 %  a?b  43,000/126,124 tokens  30.1K tokens/s");
}

TEST(Progress, TimeLeftIsOfTheWholeWork) {
    WorkProgress progress(100);
    EXPECT_LT(progress.seconds_left(5), 0) << "nothing is done yet";
    progress.skip(40);  // done by an earlier process: neither work to come nor a measure of speed
    EXPECT_LT(progress.seconds_left(5), 0);
    progress.advance(20);
    EXPECT_DOUBLE_EQ(progress.share(), 0.6);
    EXPECT_DOUBLE_EQ(progress.seconds_left(10), 20);
    progress.advance(40);
    EXPECT_DOUBLE_EQ(progress.seconds_left(30), 0);
    EXPECT_EQ(eta_text(-1), "ETA ?");
    EXPECT_EQ(eta_text(32), "ETA 0:00:32");
}

TEST(Progress, AnEstimateIsInFittingUnits) {
    EXPECT_EQ(rounded_duration_text(4.24), "4.2 s");
    EXPECT_EQ(rounded_duration_text(123.4), "123 s");
    EXPECT_EQ(rounded_duration_text(3725), "1:02:05");
    EXPECT_EQ(rounded_duration_text(12 * 86400.0), "12 days");
    EXPECT_EQ(rounded_duration_text(31.7 * 365 * 86400), "31 years");
    EXPECT_EQ(rounded_duration_text(-1), "?");
}

TEST(Progress, AChildTellsItsParent) {
    const SharedProgress progress;
    EXPECT_EQ(progress.share(), 0);
    const auto [name, value] = progress.environment();
    const auto child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        setenv(name.c_str(), value.c_str(), 1);
        share_with_parent(0.25);
        share_with_parent(0.5);
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(progress.share(), 0.5);
}

}  // namespace
}  // namespace longbow
