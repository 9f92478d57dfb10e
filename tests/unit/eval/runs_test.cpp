// Tests the names of runs, made from their paths, and a search that neither misses a run nor counts one twice.
#include "longbow/eval/runs.h"

#include <gmock/gmock.h>

#include <fstream>

#include "longbow/core/error.h"

namespace longbow {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;

class Folders : public testing::Test {
protected:
    void SetUp() override {
        top_ = fs::path(testing::TempDir()) / "runs_test";
        fs::remove_all(top_);
        fs::create_directories(top_);
    }
    fs::path run(const fs::path& place, bool results = true) {
        fs::create_directories(top_ / place / "checkpoints" / "step-00000010");
        if (results) std::ofstream(top_ / place / "results.jsonl") << "{}\n";
        return top_ / place;
    }
    std::vector<std::string> found() const {
        std::vector<std::string> places;
        for (const auto& run : find_runs(top_)) places.push_back(run.folder.lexically_relative(top_).string());
        return places;
    }
    fs::path top_;
};

using RunNames = Folders;
using FindRuns = Folders;

TEST_F(RunNames, AreThoseOfTheFolderAndOfTheMethodAboveASeed) {
    const auto alibi = run("demo/alibi");
    for (const auto* end :
         {"", "/checkpoints", "/checkpoints/", "/", "/.", "/results.jsonl", "/checkpoints/step-00000010",
          "/checkpoints/step-00000010/", "/checkpoints/step-00000010/."}) {
        EXPECT_EQ(run_name(alibi.string() + end), "alibi") << end;
        EXPECT_EQ(run_folder(alibi.string() + end), alibi) << end;
    }
    EXPECT_EQ(run_name(run("alibi/seed-1")), "alibi/seed-1");
    EXPECT_EQ(run_name(run("alibi/seed-12") / "checkpoints" / "step-00000010"), "alibi/seed-12");
    EXPECT_EQ(run_name(run("seed-model")), "seed-model");
}

TEST_F(RunNames, FollowALinkToACheckpoint) {
    const auto alibi = run("alibi");
    fs::create_directory_symlink("step-00000010", alibi / "checkpoints" / "last");
    fs::create_directory_symlink(alibi / "checkpoints" / "step-00000010", top_ / "model");
    EXPECT_EQ(run_folder(alibi / "checkpoints" / "last/"), alibi);
    EXPECT_EQ(fs::canonical(run_folder(top_ / "model")), fs::canonical(alibi));
    EXPECT_EQ(run_name(top_ / "model"), "alibi");
}

TEST_F(RunNames, GrowUntilTheyDiffer) {
    EXPECT_THAT(run_names({run("a/x/alibi"), run("b/x/alibi"), run("b/t5"), run("b/rotary/seed-1")}),
                ElementsAre("a/x/alibi", "b/x/alibi", "t5", "rotary/seed-1"));
    EXPECT_THAT(run_names({top_ / "alibi", top_ / "alibi/"}), ElementsAre("alibi", "alibi"));  // one run has one name
}

TEST_F(FindRuns, AtAnyDepthAndThroughLinks) {
    run("1/2/3/4/5/6/7/8/deep");
    run("alibi/seed-1");
    run("plain", /*results=*/false);
    fs::create_directories(top_ / "imported");
    for (const auto* file : {"manifest.json", "model.safetensors"}) std::ofstream(top_ / "imported" / file) << "x";
    const auto elsewhere = fs::path(testing::TempDir()) / "runs_test_elsewhere";
    fs::remove_all(elsewhere);
    fs::create_directories(elsewhere / "inner" / "run" / "checkpoints" / "step-00000000");
    fs::create_directories(top_ / "not yet" / "checkpoints");
    fs::create_directory_symlink(elsewhere, top_ / "linked");
    fs::create_directory_symlink(top_, elsewhere / "inner" / "cycle");
    fs::create_directory_symlink(top_ / "alibi", top_ / "a-second-name");
    fs::create_directory_symlink(top_ / "nowhere", top_ / "broken");
    fs::create_directories(top_ / ".hidden" / "checkpoints");
    EXPECT_THAT(found(), ElementsAre("1/2/3/4/5/6/7/8/deep", "alibi/seed-1", "imported", "linked/inner/run", "plain"));
    for (const auto& run : find_runs(top_)) {
        const auto name = run.folder.filename();
        EXPECT_EQ(run.results, name == "deep" || name == "seed-1") << name;
        EXPECT_TRUE(run.checkpoints) << name;
    }
}

TEST_F(FindRuns, AFolderOfRunsMayBeCalledCheckpoints) {
    const auto alibi = run("checkpoints/alibi");
    EXPECT_THAT(found(), ElementsAre("checkpoints/alibi"));
    EXPECT_EQ(run_folder(alibi), alibi);
    EXPECT_EQ(run_name(alibi / "results.jsonl"), "alibi");
    EXPECT_EQ(run_folder(alibi / "checkpoints" / "step-00000010"), alibi);
    EXPECT_EQ(find_runs(top_ / "checkpoints").size(), 1U);
}

TEST_F(FindRuns, TheFolderItselfMayBeARun) {
    run("alibi");
    EXPECT_EQ(find_runs(top_ / "alibi/").size(), 1U);
    EXPECT_THROW(find_runs(top_ / "alibi" / "results.jsonl"), Error);
    EXPECT_TRUE(find_runs(top_ / "alibi" / "checkpoints" / "step-00000010").empty());
}

}  // namespace
}  // namespace longbow
