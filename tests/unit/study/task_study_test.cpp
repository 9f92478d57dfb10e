// Tests studies that measure the probe `tasks`, without a training.
#include <gmock/gmock.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "longbow/core/error.h"
#include "longbow/core/json_text.h"
#include "longbow/grid/commands.h"
#include "longbow/study/study.h"
#include "study/rows.h"
#include "study/tables.h"
#include "study/task_cells.h"
#include "unit/error_of.h"

namespace longbow {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kBase = "model: {layers: 1, dim: 16, heads: 2}\ntrain: {batch: 2, stop: 10 updates}\n";
constexpr const char* kStudy = R"(name: asked
base: base.yaml
vary:
  task:
    copy: {task: {name: copy, length: 4}, train.length: 10}
    mqar: {task: {name: mqar, length: 4, keys: 16}, train.length: 18}
  method:
    rotary: {position.method: rotary}
    changed: {position.method: rotary, at_evaluation: {position.scaling: linear, position.factor: 2}}
    learned: {position.method: learned}
seeds: [3, 5]
probe: {kind: tasks, items: 40, seed: 7}
baseline: rotary
rows: rows
)";

class TaskStudy : public testing::Test {
protected:
    void SetUp() override {
        folder_ = fs::path(testing::TempDir()) /
                  ("task_study_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
        fs::remove_all(folder_);
        fs::create_directories(folder_);
        write("base.yaml", kBase);
        write("study.yaml", kStudy);
    }

    void write(const std::string& name, const std::string& text) const { std::ofstream(folder_ / name) << text; }
    void write_changed(const std::string& from, const std::string& to) const {
        auto text = std::string(kStudy);
        text.replace(text.find(from), from.size(), to);
        write("study.yaml", text);
    }

    [[nodiscard]] StudyRequest request() const {
        StudyRequest request;
        request.settings = read_study(folder_ / "study.yaml");
        request.run_dir = folder_ / "runs";
        request.context = registered_config_context();
        return request;
    }

    // A row as `longbow probe tasks` writes it.
    static TaskScore score(const PlannedModel& model, const PlannedProbe& probe, std::size_t range, double exact) {
        const auto& task = model.config.task;
        const auto [from, to] = probe.ranges[range];
        const Json row{{"probe", "tasks"},
                       {"overrides", probe.overrides.empty() ? "" : "position.scaling=linear position.factor=2"},
                       {"train_seed", model.config.train.seed},
                       {"updates", 10},
                       {"checkpoint", "xxh3:1"},
                       {"dtype", "fp32"},
                       {"seed", 7},
                       {"generator", 1},
                       {"task", task.name},
                       {"task_length", task.length},
                       {"bucket", {from, to}},
                       {"items", 40},
                       {"exact_match", exact},
                       {"exact_match_ci", {exact / 2, exact}},
                       {"token_accuracy", 1}};
        return task_score_from_json(parse_json(json_text(row)), "row");
    }

    fs::path folder_;
};

TEST_F(TaskStudy, TheFileIsRead) {
    const auto study = read_study(folder_ / "study.yaml");
    EXPECT_EQ(study.probe.kind, "tasks");
    EXPECT_EQ(study.probe.items, 40);
    EXPECT_EQ(study.probe.seed, 7U);
    EXPECT_TRUE(study.strides.empty());
}

TEST_F(TaskStudy, MistakesAreNamedByFileAndLine) {
    const auto refused = [&](const std::string& from, const std::string& to) {
        write_changed(from, to);
        return error_of<ConfigError>([&] { plan_study(request()); });
    };
    EXPECT_THAT(refused("kind: tasks", "kind: context"), HasSubstr("study.yaml:12: probe.kind: expected tasks"));
    EXPECT_THAT(refused("items: 40", "itmes: 40"), HasSubstr("study.yaml:12: probe: unknown key 'itmes'"));
    EXPECT_THAT(refused("items: 40", "items: 0"), HasSubstr("study.yaml:12: probe.items: expected"));
    EXPECT_THAT(refused("kind: tasks, ", ""), HasSubstr("study.yaml:12: probe: the key kind is missing"));
    EXPECT_THAT(refused("baseline: rotary", "eval: {lengths: [8]}"), HasSubstr("study.yaml:12: probe: the models of"));
    EXPECT_THAT(refused("probe: {kind: tasks, items: 40, seed: 7}\n", ""), HasSubstr("the key eval is missing"));
    EXPECT_THAT(refused("mqar: {task: {name: mqar, length: 4, keys: 16}, train.length: 18}", "text: {}"),
                HasSubstr("study.yaml:12: probe.kind: tasks: text-rotary has no task.name"));
}

TEST_F(TaskStudy, EachModelHasTheProbeOfEachChange) {
    const auto plan = plan_study(request());
    ASSERT_EQ(plan.variants.size(), 6U);
    EXPECT_EQ(plan.models.size(), 8U);
    const auto& probes = plan.models[0].probes;
    ASSERT_EQ(probes.size(), 2U) << "of the trained model, and of the changed one";
    EXPECT_THAT(probes[1].overrides, ElementsAre("position.scaling=linear", "position.factor=2"));
    EXPECT_THAT(probes[0].tokens, ElementsAre(10, 18, 34, 66));
    EXPECT_FALSE(plan.models[0].done());
    EXPECT_GT(probes[0].flops, 0);
    EXPECT_EQ(plan.variants[1].baseline, "copy-rotary");
    EXPECT_EQ(plan.variants[2].task_cells[1].absent, "the positions end at 10 tokens");
    EXPECT_EQ(plan.variants[3].task_cells[3].absent, "the task ends at 16 pairs");
    EXPECT_EQ(plan.variants[3].task_cells[2].absent, "");

    const auto wanted = request();
    EXPECT_TRUE(store_commands(plan, wanted).empty());
    const auto commands = model_commands(plan, wanted);
    ASSERT_EQ(commands[0].commands.size(), 3U);
    const auto run = (folder_ / "runs/copy-rotary/seed-3").string();
    EXPECT_THAT(commands[0].commands[1],
                ElementsAre("probe", "tasks", run, "--items", "40", "--seed", "7", "--out", run + "/probes.jsonl"));
    EXPECT_EQ(commands[0].commands[2][3], "position.scaling=linear");
}

TEST_F(TaskStudy, OnlyRowsOfTheSameMeasurementCount) {
    const auto plan = plan_study(request());
    const auto& model = plan.models[0];
    const auto row = score(model, model.probes[0], 1, 0.5);
    EXPECT_TRUE(is_row_of(row, model, model.probes[0], 1));
    EXPECT_FALSE(is_row_of(row, model, model.probes[0], 0));
    EXPECT_FALSE(is_row_of(row, model, model.probes[1], 1));
    EXPECT_FALSE(is_row_of(row, plan.models[1], model.probes[0], 1)) << "another seed";
    for (const auto* key : {"updates", "seed", "generator", "dtype", "task", "task_length", "overrides"}) {
        auto other = row;
        other.row[key] = other.row[key].is_string() ? Json("other") : Json(2);
        EXPECT_FALSE(is_row_of(other, model, model.probes[0], 1)) << key;
    }
    EXPECT_THAT(error_of<DataError>([&] {
                    task_score_from_json({{"probe", "tasks"}}, "file:3");
                }),
                HasSubstr("file:3: "));
}

TEST_F(TaskStudy, SavedRowsStandForATrainingAndMakeTheTable) {
    const auto wanted = request();
    auto plan = plan_study(wanted);
    for (std::size_t i = 0; i < 2; ++i) {  // copy-rotary and copy-changed, which share their models
        auto& variant = plan.variants[i];
        variant.done = {true, true};
        for (std::size_t range = 0; range < variant.task_cells.size(); ++range) {
            auto& scores = variant.task_cells[range].scores;
            for (std::size_t seed = 0; seed < 2; ++seed) {
                const auto& model = plan.models[variant.models[seed]];
                const double exact = (i == 0 ? 1.0 : 0.5) - 0.25 * static_cast<double>(seed);
                scores.push_back(score(model, model.probes[i], range, exact));
            }
        }
    }
    ASSERT_TRUE(write_saved_rows(wanted.settings.rows, plan, wanted.context));
    plan = plan_study(wanted);
    EXPECT_EQ(plan.from_rows, 2U);
    EXPECT_TRUE(plan.models[0].done());
    EXPECT_FALSE(plan.models[2].done());

    const auto table = summarize(plan);
    const auto& rotary = table.tasks[0][0];
    EXPECT_EQ(rotary.seeds, 2);
    EXPECT_DOUBLE_EQ(rotary.mean, 0.875);
    EXPECT_NEAR(rotary.sd, 0.25 / std::sqrt(2.0), 1e-12);
    EXPECT_EQ(rotary.interval->low, 0) << "an interval of shares ends at 0 and 1";
    EXPECT_EQ(rotary.interval->high, 1);
    const auto& changed = table.tasks[1][3];
    EXPECT_EQ(changed.pairs, 2);
    EXPECT_DOUBLE_EQ(changed.difference, -0.5);
    EXPECT_DOUBLE_EQ(changed.difference_interval->high, -0.5) << "both seeds differ alike";
    EXPECT_EQ(table.tasks[2][0].seeds, 0);

    const auto& study = wanted.settings;
    const auto text = render_study(plan, study, table, TextFormat::markdown);
    for (const auto* part : {"to L", "4L to 8L", "0.875 ± 0.177", "-0.500", "-0.500, -0.500",
                             "copy-learned: the positions end at 10 tokens", "6 of 8 models are not done yet"})
        EXPECT_THAT(text, HasSubstr(part));
    EXPECT_THAT(render_study(plan, study, table, TextFormat::csv),
                HasSubstr("copy-rotary,copy,rotary,copy,4,0,1,1,4,2,"));
    const auto json = parse_json(render_study(plan, study, table, TextFormat::json));
    EXPECT_EQ(json["probe"]["items"], 40);
    EXPECT_EQ(json["models"][0]["cells"][0]["rows"].size(), 2U);
    EXPECT_THAT(render_study(plan, study, table, TextFormat::latex), HasSubstr("0.875"));
    EXPECT_THAT(render_study(plan, study, table, TextFormat::html), HasSubstr("<svg"));
    EXPECT_EQ(study_charts(plan, study, table).size(), 1U) << "mqar has no row yet";

    write("base.yaml", std::string(kBase) + "log: {tensorboard: false}\n");
    EXPECT_EQ(plan_study(wanted).from_rows, 2U);
    write_changed("length: 4}, train.length: 10", "length: 3}, train.length: 10");
    EXPECT_EQ(plan_study(request()).from_rows, 0U);
    write_changed("seed: 7", "seed: 8");
    EXPECT_EQ(plan_study(request()).from_rows, 0U);
}

}  // namespace
}  // namespace longbow
