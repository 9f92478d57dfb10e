#include "longbow/eval/logprobs.h"

#include <gtest/gtest.h>

namespace longbow {
namespace {

TEST(LogprobsPath, FillsInRunAndLength) {
    EXPECT_EQ(logprobs_path("out/{run}-{length}.npy", "alibi/seed-1", 64), "out/alibi-seed-1-64.npy");
    EXPECT_EQ(logprobs_path("plain.npy", "alibi", 64), "plain.npy");
    EXPECT_EQ(logprobs_path("{run}", "a{length}b", 64), "a{length}b") << "a name is not filled in again";
}

}  // namespace
}  // namespace longbow
