// Tests what the program finds out of this machine (cores, memory, GPUs) and says of its build.
#include "longbow/core/machine.h"

#include <gtest/gtest.h>

#include <unistd.h>
#include <cstdlib>

#include "longbow/core/build_info.h"

namespace longbow {
namespace {

TEST(Machine, CoresAreThoseOfThisProcess) {
    const auto cpu = cpu_info();
    EXPECT_GE(cpu.cores, 1);
    EXPECT_LE(cpu.cores, ::sysconf(_SC_NPROCESSORS_ONLN));
}

TEST(Machine, MemoryAgreesWithTheSystem) {
    const auto memory = memory_info();
    const auto pages =
        static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    EXPECT_EQ(memory.total, pages);
    EXPECT_GT(memory.available, 0u);
    EXPECT_LE(memory.available, memory.total);
}

TEST(Machine, EitherGpusOrAReason) {
    const auto report = gpu_report();
    EXPECT_EQ(report.built_with_cuda, build_info().cuda);
    EXPECT_EQ(report.gpus.empty(), !report.problem.empty()) << report.problem;
    EXPECT_EQ(report.runtime.empty(), !build_info().cuda);
}

TEST(Machine, EveryGpuThatIsSeenComputes) {
    const auto report = gpu_report();
    if (report.gpus.empty()) GTEST_SKIP() << report.problem;
    for (std::size_t i = 0; i < report.gpus.size(); ++i) EXPECT_EQ(gpu_smoke_test(static_cast<int>(i)), "");
}

TEST(Machine, OnlyIntelsProductsNeedToBeToldToRepeat) {
    const char* before = std::getenv("MKL_CBWR");
    const std::string kept = before == nullptr ? "" : before;
    unsetenv("MKL_CBWR");
    keep_products_repeatable();
    const char* set = std::getenv("MKL_CBWR");
    EXPECT_EQ(set == nullptr ? "" : std::string(set), cpu_info().vendor == "GenuineIntel" ? "AUTO" : "");
    setenv("MKL_CBWR", "COMPATIBLE", 1);
    keep_products_repeatable();
    EXPECT_STREQ(std::getenv("MKL_CBWR"), "COMPATIBLE") << "the user's own setting stays";
    unsetenv("MKL_CBWR");
    if (!kept.empty()) setenv("MKL_CBWR", kept.c_str(), 1);
}

TEST(Machine, ASmokeTestOfAGpuThatIsNotThereSaysSo) { EXPECT_NE(gpu_smoke_test(9999), ""); }

TEST(BuildInfo, NamesEveryPart) {
    const std::string text = build_info_text();
    for (const char* part : {"longbow ", "\nbuild ", "\nLibTorch ", "\nCUDA ", "\nCPU ", "\nGPU "})
        EXPECT_NE(text.find(part), std::string::npos) << part;
    EXPECT_EQ(text.find("NCCL") != std::string::npos, build_info().cuda);
}

TEST(BuildInfo, CarriesTheRevisionOnceKnown) {
    set_revision("v1-2-gabc");
    EXPECT_NE(build_info_text().find("(v1-2-gabc)\n"), std::string::npos);
    set_revision("");
    EXPECT_EQ(build_info_text().find("()"), std::string::npos);
}

}  // namespace
}  // namespace longbow
