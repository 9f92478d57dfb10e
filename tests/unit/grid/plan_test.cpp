// Tests a grid of one model that belongs to no paper: which parts of it are done, its commands, and its costs.
#include "longbow/grid/plan.h"

#include <fmt/core.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "longbow/core/error.h"
#include "longbow/core/strings.h"
#include "longbow/eval/eval_result.h"
#include "longbow/grid/commands.h"
#include "longbow/grid/cost.h"
#include "longbow/grid/run.h"

namespace longbow {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class Grid : public testing::Test {
protected:
    void SetUp() override {
        request_.run_dir = fs::path(testing::TempDir()) /
                           ("grid_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
        fs::remove_all(request_.run_dir);
        auto& model = plan_.models.emplace_back();
        model.name = "mine/alibi-64";
        model.files = {"mine.yaml"};
        model.overrides = {"position.method=alibi"};
        model.timed_as = "alibi";
        model.config.data.store = (request_.run_dir / "store").string();
        model.config.data.train = {(request_.run_dir / "text.txt").string()};
        model.config.data.expect_vocab_size = 100;
        model.updates = 10;
        PlannedEval eval;
        eval.file = "results.jsonl";
        eval.split = "valid";
        eval.split_tokens = 1000;
        add_eval(model.evals, eval, 64);
        add_eval(model.evals, eval, 128);
        eval.stride = 1;
        add_eval(model.evals, eval, 64);
    }

    // Makes the files that a training leaves.
    void train(std::int64_t updates) const {
        const auto step = fmt::format("step-{:08}", updates);
        const auto checkpoints = request_.run_dir / plan_.models.front().name / "checkpoints";
        fs::create_directories(checkpoints / step);
        std::ofstream(checkpoints / step / "manifest.json") << "{}";
        std::ofstream(checkpoints / step / "state.json") << "{}";
        fs::remove(checkpoints / "last");
        fs::create_directory_symlink(step, checkpoints / "last");
    }

    GridRequest request_;
    GridPlan plan_;
};

TEST_F(Grid, LengthsOfOneCommandShareAnEvaluation) {
    const auto& evals = plan_.models.front().evals;
    ASSERT_EQ(evals.size(), 2U);
    EXPECT_THAT(evals[0].lengths, ElementsAre(64, 128));
    EXPECT_THAT(evals[1].lengths, ElementsAre(64));
}

TEST_F(Grid, WhatIsMissingBecomesCommands) {
    auto& model = plan_.models.front();
    find_done(model, request_);
    EXPECT_EQ(model.done_updates, -1);
    EXPECT_THAT(model.evals[0].missing, ElementsAre(64, 128));
    count_flops(plan_);
    auto chains = model_commands(plan_, request_);
    ASSERT_EQ(chains.size(), 1U);
    ASSERT_EQ(chains[0].commands.size(), 3U);
    EXPECT_EQ(join(chains[0].commands[0], " "),
              "train -c mine.yaml position.method=alibi --run-dir " + (request_.run_dir / model.name).string());
    EXPECT_THAT(join(chains[0].commands[1], " "), HasSubstr("--lengths 64,128"));
    EXPECT_THAT(join(chains[0].commands[2], " "), HasSubstr("--stride 1"));
    for (const double cost : chains[0].costs) EXPECT_GT(cost, 0);
    EXPECT_THAT(shell_script(plan_, request_, {"report", "a b"}), testing::EndsWith("longbow report 'a b'\n"));

    train(10);
    find_done(model, request_);
    chains = model_commands(plan_, request_);
    ASSERT_EQ(chains[0].commands.size(), 2U) << "trained: only the evaluations are left";
    EXPECT_THAT(models_text(plan_, request_), HasSubstr("trained"));
}

TEST_F(Grid, RowsOfAnotherDataSetAreNotTheModels) {
    auto& model = plan_.models.front();
    find_done(model, request_);
    const auto unnamed = model_commands(plan_, request_);
    for (const auto& word : unnamed[0].commands[1])
        EXPECT_NE(word, "--data-set") << "the model has no name for it";
    model.data_set = "mine";
    EXPECT_THAT(join(model_commands(plan_, request_)[0].commands[1], " "), HasSubstr("--data-set mine"));

    train(10);
    const auto results = (request_.run_dir / model.name / "results.jsonl").string();
    const auto missing_with = [&](std::int64_t length, const std::string& data_set) {
        EvalResult row;
        row.position = "alibi";
        row.split = "valid";
        row.length = row.stride = length;
        row.tokens = 1000;
        row.data_set = data_set;
        append_result(results, row);
        model.evals[0].missing.clear();
        find_done(model, request_);
        return model.evals[0].missing.count(length) > 0;
    };
    EXPECT_TRUE(missing_with(64, "yours"));
    EXPECT_FALSE(missing_with(64, "mine"));
    EXPECT_FALSE(missing_with(128, "")) << "a row of before";
}

TEST_F(Grid, AnEvaluationMayChangeSettings) {
    auto& model = plan_.models.front();
    model.evals[0].overrides = {"position.slope_scale=2"};
    find_done(model, request_);
    EXPECT_THAT(
        join(model_commands(plan_, request_)[0].commands[1], " "),
        testing::StartsWith("eval " + (request_.run_dir / model.name).string() + " position.slope_scale=2 --data"));
    EvalResult row;
    row.split = "valid";
    row.length = row.stride = 64;
    EXPECT_FALSE(is_row_of(row, model, model.evals[0], 64));
    row.overrides = "position.slope_scale=2";
    EXPECT_TRUE(is_row_of(row, model, model.evals[0], 64));
}

TEST_F(Grid, AModelThatIsDoneNeedsNeitherStoreNorText) {
    auto& model = plan_.models.front();
    EXPECT_EQ(store_commands(plan_, request_).size(), 1U);
    model.done_updates = model.updates;
    EXPECT_TRUE(store_commands(plan_, request_).empty());
    EXPECT_NO_THROW(check_texts(plan_, ""));
}

TEST_F(Grid, AMissingTextIsSaidWithItsRemedy) {
    try {
        check_texts(plan_, "write it first");
        FAIL();
    } catch (const DataError& error) {
        EXPECT_THAT(error.what(), HasSubstr("write it first"));
    }
    fs::create_directories(request_.run_dir);
    std::ofstream(request_.run_dir / "text.txt") << "text\n";
    EXPECT_NO_THROW(check_texts(plan_, ""));
}

TEST_F(Grid, AStopOnTheWayIsMeasuredBeforeTheTrainingGoesOn) {
    auto& model = plan_.models.front();
    model.early_updates = 4;
    add_eval(model.early, model.evals[0], 64);
    model.early[0].file = "early.jsonl";
    find_done(model, request_);
    const auto commands = model_commands(plan_, request_)[0].commands;
    ASSERT_EQ(commands.size(), 5U);
    EXPECT_THAT(join(commands[0], " "), HasSubstr("train.stop=4 updates"));
    EXPECT_THAT(join(commands[1], " "), HasSubstr("@last"));
    EXPECT_EQ(commands[2].front(), "train");
}

}  // namespace
}  // namespace longbow
