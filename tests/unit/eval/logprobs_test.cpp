#include "longbow/eval/logprobs.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

#include "longbow/core/files.h"
#include "longbow/core/npy.h"

namespace longbow {
namespace {

TEST(LogprobsPath, FillsInRunAndLength) {
    EXPECT_EQ(logprobs_path("out/{run}-{length}.npy", "alibi/seed-1", 64), "out/alibi-seed-1-64.npy");
    EXPECT_EQ(logprobs_path("plain.npy", "alibi", 64), "plain.npy");
    EXPECT_EQ(logprobs_path("{run}", "a{length}b", 64), "a{length}b") << "a name is not filled in again";
}

TEST(Logprobs, HaveTheTypeOfTheLosses) {
    const auto path = (std::filesystem::path(testing::TempDir()) / "logprobs_test.npy").string();
    write_logprobs(path, {0.1, 2}, DType::fp64);
    auto bytes = read_file(path);
    auto header = read_npy_header(bytes, path);
    EXPECT_EQ(header.type(), "<f8");
    ASSERT_EQ(bytes.size(), header.data_begin + 2 * sizeof(double));
    double wide = 0;
    std::memcpy(&wide, bytes.data() + header.data_begin, sizeof wide);
    EXPECT_EQ(wide, -0.1);
    write_logprobs(path, {0.1, 2}, DType::bf16);
    bytes = read_file(path);
    header = read_npy_header(bytes, path);
    EXPECT_EQ(header.type(), "<f4");
    float narrow = 0;
    std::memcpy(&narrow, bytes.data() + header.data_begin, sizeof narrow);
    EXPECT_EQ(narrow, -0.1F);
}

}  // namespace
}  // namespace longbow
