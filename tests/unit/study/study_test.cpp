// Tests a study's file, its grid, and the rows that stand for trainings, without a training.
#include "longbow/study/study.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "longbow/core/error.h"
#include "study/rows.h"
#include "unit/error_of.h"

namespace longbow {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kBase = "model: {layers: 2, dim: 16, heads: 2}\ndata: {store: store}\ntrain: {length: 8}\n";
constexpr const char* kStudy = R"(name: two
base: base.yaml
settings: {train: {stop: 10 updates}}
vary:
  method:
    alibi: {position.method: alibi}
    rotary: {position.method: rotary}
    changed: {position.method: rotary, at_evaluation: {position.scaling: linear, position.factor: 2}}
    learned: {position.method: learned}
    mixed: {position.layers: [{method: rotary, window: 4}, {method: none}]}
  size:
    small: {}
    large: {model.ffn_dim: 64}
seeds: [3, 5]
eval: {lengths: [32, 8], strides: [0, 4]}
baseline: alibi
parts:
  a: [alibi, rotary]
  b: [changed, small]
  c: [learned, mixed]
  d: [large]
rows: rows
)";

class Study : public testing::Test {
protected:
    void SetUp() override {
        folder_ = fs::path(testing::TempDir()) /
                  ("study_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
        fs::remove_all(folder_);
        fs::create_directories(folder_);
        write("base.yaml", kBase);
        write("study.yaml", kStudy);
    }

    void write(const std::string& name, const std::string& text) const { std::ofstream(folder_ / name) << text; }

    [[nodiscard]] StudyRequest request(const std::string& part = "") const {
        StudyRequest request;
        request.settings = read_study(folder_ / "study.yaml");
        request.run_dir = folder_ / "runs";
        request.context = registered_config_context();
        request.part = part;
        return request;
    }

    [[nodiscard]] static const StudyVariant& variant(const StudyPlan& plan, const std::string& name) {
        for (const auto& one : plan.variants) {
            if (one.name == name) return one;
        }
        throw Error("no variant " + name);
    }

    fs::path folder_;
};

TEST_F(Study, TheFileIsRead) {
    const auto study = read_study(folder_ / "study.yaml");
    EXPECT_EQ(study.name, "two");
    ASSERT_EQ(study.axes.size(), 2U);
    const auto& values = study.axes[0].values;
    EXPECT_EQ(values[2].at_evaluation[1].text, "position.factor=2");
    EXPECT_THAT(values[2].at_evaluation[1].place, HasSubstr("study.yaml:8"));
    EXPECT_EQ(values[4].settings[0].text, "position.layers=[{method: rotary, window: 4}, {method: none}]");
    EXPECT_EQ(study.settings[0].text, "train.stop=10 updates");
    EXPECT_THAT(study.lengths, ElementsAre(8, 32));
    EXPECT_THAT(study.strides, ElementsAre(0, 4));
    EXPECT_EQ(study.rows, folder_ / "rows/two.jsonl");
}

TEST_F(Study, TheGridHasEveryCombination) {
    const auto plan = plan_study(request());
    EXPECT_EQ(plan.variants.size(), 10U);
    EXPECT_EQ(plan.models.size(), 16U) << "changed is rotary's training";
    const auto& changed = variant(plan, "changed-large");
    EXPECT_EQ(changed.models, variant(plan, "rotary-large").models);
    EXPECT_EQ(changed.baseline, "alibi-large");
    EXPECT_EQ(variant(plan, "alibi-small").baseline, "");
    const auto& rotary = plan.models[variant(plan, "rotary-small").models[1]];
    EXPECT_EQ(rotary.name, "rotary-small/seed-5");
    EXPECT_EQ(rotary.updates, 10);
    EXPECT_EQ(rotary.evals.size(), 4U) << "two strides, with the settings of the training and with the changed ones";
    const auto& learned = variant(plan, "learned-small");
    EXPECT_EQ(learned.cells[0][1].absent, "the positions end at 8");
    EXPECT_THAT(plan.models[learned.models[0]].evals[0].lengths, ElementsAre(8));
}

TEST_F(Study, APartHasTheNamedValuesOfEachAxis) {
    const auto names = [&](const std::string& part) {
        std::vector<std::string> models;
        for (const auto& model : plan_study(request(part)).models) models.push_back(model.name);
        return models;
    };
    EXPECT_EQ(names("a").size(), 8U);
    EXPECT_THAT(names("b"), ElementsAre("rotary-small/seed-3", "rotary-small/seed-5"));
    EXPECT_EQ(names("d").size(), 8U);
    EXPECT_THAT(error_of<UsageError>([&] { names("nothing"); }), HasSubstr("there are a, b, c, d"));
}

TEST_F(Study, WhatTheWeightsDoNotFitIsRefused) {
    auto text = std::string(kStudy);
    const std::string scaling = "position.scaling: linear, position.factor: 2";
    text.replace(text.find(scaling), scaling.size(), "position.method: t5");
    write("study.yaml", text);
    EXPECT_THAT(error_of<ConfigError>([&] { plan_study(request()); }),
                testing::AllOf(HasSubstr("study.yaml:8: "), HasSubstr("the weights of the trained model do not fit")));
}

TEST_F(Study, SavedRowsStandForATraining) {
    auto wanted = request();
    auto plan = plan_study(wanted);
    auto& rotary = plan.variants[2];
    ASSERT_EQ(rotary.name, "rotary-small");
    auto& changed = plan.variants[4];
    ASSERT_EQ(changed.name, "changed-small");
    for (auto* of : {&rotary, &changed}) {
        of->done = {true, false};  // the second seed's rows are not saved
        for (auto& cells : of->cells) {
            for (auto& cell : cells) {
                for (const auto seed : of->seeds) {
                    auto& row = cell.rows.emplace_back();
                    row.split = "valid";
                    row.tokens = row.windows = 100;
                    row.length = cell.length;
                    row.stride = cell.stride;
                    row.seed = seed;
                    row.position = "rotary";
                    row.ppl = of == &rotary ? 10 : 20;
                    row.overrides = of == &rotary ? "" : "position.scaling=linear position.factor=2";
                }
            }
        }
    }
    write_saved_rows(wanted.settings.rows, plan, wanted.context);
    plan = plan_study(wanted);
    EXPECT_EQ(plan.from_rows, 1U);
    const auto models = plan.variants[2].models;
    EXPECT_TRUE(plan.models[models[0]].done());
    EXPECT_FALSE(plan.models[models[1]].done());
    ASSERT_EQ(plan.variants[4].cells[1][1].rows.size(), 1U);
    EXPECT_EQ(plan.variants[4].cells[1][1].rows[0].ppl, 20);

    // What no number depends on may change.
    write("base.yaml", std::string(kBase) + "log: {tensorboard: false}\n");
    EXPECT_EQ(plan_study(wanted).from_rows, 1U);
    write("base.yaml", std::string(kBase) + "optim: {lr: 0.5}\n");
    EXPECT_EQ(plan_study(wanted).from_rows, 0U);
    // A further length is measured on the weights, which the rows do not have.
    write("base.yaml", kBase);
    wanted.settings.lengths.push_back(64);
    plan = plan_study(wanted);
    EXPECT_EQ(plan.from_rows, 0U);
    EXPECT_THAT(plan.variants[2].cells[0][0].rows, IsEmpty());
}

}  // namespace
}  // namespace longbow
