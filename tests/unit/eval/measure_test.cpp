// Rows of runs measured together are those of each alone; a model has values only while it is measured.
#include "longbow/eval/measure.h"

#include <gmock/gmock.h>
#include <torch/types.h>
#include <unistd.h>

#include <cmath>

#include "longbow/core/error.h"
#include "longbow/core/files.h"
#include "unit/model/tiny.h"

namespace longbow {
namespace {

using testing::HasSubstr;

constexpr const char* kText = "one two three two one\nfour five one two\nthree three four\n";

class Measuring : public testing::Test {
protected:
    void SetUp() override {
        fs::remove_all(home_);
        fs::create_directories(home_);
        write_file_atomic(text_, kText);
        TokenizerConfig words;
        words.kind = "word";
        tokenizer_ = train_tokenizer(words, {text_}, 1);
    }
    void TearDown() override { fs::remove_all(home_); }

    std::string checkpoint(const std::string& name, Config config) {
        config.tokenizer.kind = "word";
        const auto model = make_language_model(config, tokenizer_->vocab_size());
        TrainState state;
        state.updates = 1;
        save_checkpoint(home_ / name, *model, nullptr, state, config, *tokenizer_, "xxh3:data");
        return (home_ / name).string();
    }
    [[nodiscard]] MeasureRequest request(const std::vector<std::string>& checkpoints,
                                         const std::vector<std::int64_t>& lengths) const {
        MeasureRequest request;
        request.checkpoints = checkpoints;
        request.files = {text_};
        for (const auto length : lengths) request.evaluations.emplace_back().length = length;
        return request;
    }

    fs::path home_ = fs::temp_directory_path() / ("longbow-measure-" + std::to_string(::getpid()));
    std::string text_ = (home_ / "text.txt").string();
    std::unique_ptr<Tokenizer> tokenizer_;
};

TEST_F(Measuring, EachRowIsWhatItsModelGives) {
    const std::vector<std::string> checkpoints{checkpoint("alibi", test::tiny_config("alibi", "fp32")),
                                               checkpoint("rotary", test::tiny_config("rotary", "fp32"))};
    MeasurePlan plan(request(checkpoints, {4, 8}));
    ASSERT_EQ(plan.runs().size(), 2U);
    EXPECT_EQ(plan.runs()[0].rows[1].plan, plan.runs()[1].rows[1].plan) << "windows are planned once";
    WorkProgress progress(plan.flops());
    std::vector<std::string> labels;
    plan.each_run([&](PlannedRun& run) {
        for (const auto& other : plan.runs()) EXPECT_FALSE(other.run.checkpoint.model) << "one model at a time";
        for (const auto& row : run.rows) {
            const auto measured = measure_row(plan, run, row, {}, progress);
            const auto loaded = load_checkpoint(run.run.checkpoint.path);
            EXPECT_EQ(measured.nll, evaluate_tokens(*loaded.model, *run.stream, *row.plan));
            EXPECT_EQ(measured.row.nll, mean_nll(measured.nll));
            EXPECT_TRUE(measured.row.measurement() == row.expected.measurement());
            EXPECT_EQ(measured.row.data_name, "text.txt");
            labels.push_back(row.label);
        }
    });
    EXPECT_THAT(labels,
                testing::ElementsAre("alibi, length 4", "alibi, length 8", "rotary, length 4", "rotary, length 8"));
}

TEST_F(Measuring, TheTypeIsKnownBeforeTheModelIsBuilt) {
    auto wide = request({checkpoint("alibi", test::tiny_config("alibi", "fp32"))}, {8});
    wide.model = {"fp64", "reference"};
    MeasurePlan plan(wide);
    auto& run = plan.runs()[0];
    EXPECT_EQ(run.rows[0].expected.dtype, "fp64");
    WorkProgress progress(plan.flops());
    const auto measured = measure_row(plan, run, run.rows[0], {}, progress);
    EXPECT_EQ(run.run.checkpoint.model->parameters().front().scalar_type(), torch::kDouble);
    EXPECT_EQ(run.run.checkpoint.model->attention().name(), "reference");
    EXPECT_TRUE(std::isfinite(measured.row.nll));
}

TEST_F(Measuring, WhatCannotBeServedIsRefusedBeforeAnyModelIsBuilt) {
    const auto alibi = checkpoint("alibi", test::tiny_config("alibi", "fp32"));
    const auto refusal = [](const MeasureRequest& refused) -> std::string {
        try {
            MeasurePlan plan(refused);
        } catch (const Error& error) {
            return error.what();
        }
        return "none";
    };
    const auto learned = checkpoint("learned", test::tiny_config("learned", "fp32"));
    EXPECT_THAT(refusal(request({alibi, learned}, {65})), HasSubstr("learned"));
    EXPECT_THAT(refusal(request({alibi, learned}, {65})), HasSubstr("ends at 64"));
    auto fused = request({alibi}, {8});
    fused.model = {"fp64", "fused"};
    EXPECT_THAT(refusal(fused), HasSubstr("fused"));
    EXPECT_EQ(refusal(request({alibi, learned}, {8})), "none");
}

TEST_F(Measuring, OverridesGiveARowOfItsOwn) {
    const auto rotary = checkpoint("rotary", test::tiny_config("rotary", "fp32"));
    const auto plain = request({rotary}, {8});
    auto changed = plain;
    changed.checkpoints = {rotary, "position.scaling=linear", "position.factor=4"};
    take_model_overrides(changed);
    EXPECT_THAT(changed.checkpoints, testing::ElementsAre(rotary));
    MeasurePlan before(plain), after(changed);
    const auto& own = before.runs()[0].rows[0].expected;
    const auto& row = after.runs()[0].rows[0].expected;
    EXPECT_EQ(row.name, "rotary position.scaling=linear position.factor=4");
    EXPECT_EQ(row.overrides, "position.scaling=linear position.factor=4");
    EXPECT_NE(row.config, own.config);
    EXPECT_NE(row.config_group, own.config_group);
    EXPECT_EQ(row.checkpoint, own.checkpoint);
    EXPECT_FALSE(to_json(own).contains("overrides"));
    WorkProgress progress(after.flops());
    const auto a = measure_row(before, before.runs()[0], before.runs()[0].rows[0], {}, progress);
    const auto b = measure_row(after, after.runs()[0], after.runs()[0].rows[0], {}, progress);
    EXPECT_NE(a.nll, b.nll);
    EXPECT_EQ(eval_result_from_json(to_json(b.row), "row").overrides, row.overrides);
    auto config = test::tiny_config("rotary", "fp32");
    config.position.options = {{"scaling", std::string("linear")}, {"factor", 4.0}};
    const auto model = load_model(open_checkpoint(checkpoint_path(rotary, 1)), config);
    EXPECT_EQ(b.nll, evaluate_tokens(*model, *after.runs()[0].stream, *after.runs()[0].rows[0].plan));
}

TEST_F(Measuring, OverridesThatCannotBe) {
    const auto rotary = checkpoint("rotary", test::tiny_config("rotary", "fp32"));
    const auto refusal = [&](const std::vector<std::string>& overrides) -> std::string {
        auto changed = request({rotary}, {8});
        changed.checkpoints.insert(changed.checkpoints.end(), overrides.begin(), overrides.end());
        try {
            take_model_overrides(changed);
            MeasurePlan plan(changed);
        } catch (const Error& error) {
            return error.what();
        }
        return "none";
    };
    EXPECT_THAT(refusal({"position.method=t5"}), HasSubstr("position.method=t5: the weights do not fit this model"));
    EXPECT_THAT(refusal({"position.factor=4"}), HasSubstr("it needs position.scaling: linear"));
    EXPECT_THAT(refusal({"position.bse=4"}), HasSubstr("did you mean 'position.base'?"));
    EXPECT_THAT(refusal({"model.layers=1"}), HasSubstr("position.* and attention.* only"));
    EXPECT_EQ(refusal({"position.method=none"}), "none");
    EXPECT_EQ(refusal({"attention.backend=reference"}), "none");
    EXPECT_THAT(refusal({"position.scaling=ntk"}), HasSubstr("'ntk' is none of none, linear"));
}

TEST_F(Measuring, ALengthOfSeveralStridesIsLabelledByThem) {
    auto both = request({checkpoint("alibi", test::tiny_config("alibi", "fp32"))}, {8, 8});
    both.evaluations[1].stride = 2;
    MeasurePlan plan(both);
    EXPECT_EQ(plan.runs()[0].rows[0].label, "alibi, length 8, stride 8");
    EXPECT_EQ(plan.runs()[0].rows[1].label, "alibi, length 8, stride 2");
}

}  // namespace
}  // namespace longbow
