// Tests studies that measure a probe, without a training.
#include <gmock/gmock.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>

#include "longbow/core/error.h"
#include "longbow/core/json_text.h"
#include "longbow/grid/commands.h"
#include "longbow/study/study.h"
#include "study/probe_cells.h"
#include "study/rows.h"
#include "study/tables.h"
#include "unit/error_of.h"

namespace longbow {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

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

class ProbeStudy : public testing::Test {
protected:
    void SetUp() override {
        folder_ = fs::path(testing::TempDir()) /
                  ("probe_study_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
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
    static ProbeRow score(const PlannedModel& model, const PlannedProbe& probe, std::size_t index, double exact) {
        return row_of(model, probe, index,
                      {{"task", model.config.task.name},
                       {"task_length", model.config.task.length},
                       {"bucket", probe.rows[index]["bucket"]},
                       {"exact_match", exact},
                       {"exact_match_ci", {exact / 2, exact}},
                       {"token_accuracy", 1}});
    }

    // A row of a probe with what it has found.
    static ProbeRow row_of(const PlannedModel& model, const PlannedProbe& probe, std::size_t index, const Json& found) {
        Json row{{"probe", probe.kind},
                 {"overrides", probe.overrides.empty() ? "" : "position.scaling=linear position.factor=2"},
                 {"train_seed", model.config.train.seed},
                 {"updates", 10},
                 {"checkpoint", "xxh3:1"},
                 {"dtype", "fp32"},
                 {"seed", probe.seed},
                 {"generator", 1},
                 {"items", probe.items}};
        for (const auto* part : {&probe.rows[index], &found}) row.update(*part);
        return probe_row_from_json(parse_json(json_text(row)), "row");
    }

    fs::path folder_;
};

TEST_F(ProbeStudy, TheFileIsRead) {
    const auto study = read_study(folder_ / "study.yaml");
    EXPECT_EQ(study.probe.kind, "tasks");
    EXPECT_EQ(study.probe.items, 40);
    EXPECT_EQ(study.probe.seed, 7U);
    EXPECT_TRUE(study.strides.empty());
}

TEST_F(ProbeStudy, MistakesAreNamedByFileAndLine) {
    const auto refused = [&](const std::string& from, const std::string& to) {
        write_changed(from, to);
        return error_of<ConfigError>([&] { plan_study(request()); });
    };
    EXPECT_THAT(refused("kind: tasks", "kind: keys"), HasSubstr("study.yaml:12: probe.kind: expected tasks, passkey,"));
    EXPECT_THAT(refused("items: 40", "lengths: [8]"),
                HasSubstr("study.yaml:12: probe: tasks has ranges of lengths of"));
    EXPECT_THAT(refused("items: 40", "split: test"), HasSubstr("study.yaml:12: probe.split: tasks reads no text"));
    EXPECT_THAT(refused("kind: tasks", "kind: passkey"), HasSubstr("study.yaml:12: probe: lengths is missing"));
    EXPECT_THAT(refused("kind: tasks", "kind: context, multiples: [1], lengths: [8]"),
                HasSubstr("study.yaml:12: probe: lengths and multiples are two ways"));
    EXPECT_THAT(refused("kind: tasks", "kind: context, multiples: [1]"), HasSubstr("data.store: a study measures"));
    EXPECT_THAT(refused("items: 40", "itmes: 40"), HasSubstr("study.yaml:12: probe: unknown key 'itmes'"));
    EXPECT_THAT(refused("items: 40", "items: 0"), HasSubstr("study.yaml:12: probe.items: expected"));
    EXPECT_THAT(refused("kind: tasks, ", ""), HasSubstr("study.yaml:12: probe: the key kind is missing"));
    EXPECT_THAT(refused("baseline: rotary", "eval: {lengths: [8]}"),
                HasSubstr("study.yaml:12: probe: a study measures what"));
    EXPECT_THAT(refused("probe: {kind: tasks, items: 40, seed: 7}\n", ""), HasSubstr("the key eval is missing"));
    EXPECT_THAT(refused("mqar: {task: {name: mqar, length: 4, keys: 16}, train.length: 18}", "text: {}"),
                testing::AllOf(HasSubstr("study.yaml:12: probe.kind: tasks: text-rotary has no task.name"),
                               Not(HasSubstr("study.yaml:5"))));
}

TEST_F(ProbeStudy, EachModelHasTheProbeOfEachChange) {
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
    EXPECT_EQ(plan.variants[2].probe_cells[1].absent, "the positions end at 10 tokens");
    EXPECT_EQ(plan.variants[3].probe_cells[3].absent, "the task ends at 16 pairs");
    EXPECT_EQ(plan.variants[3].probe_cells[2].absent, "");

    const auto wanted = request();
    EXPECT_TRUE(store_commands(plan, wanted).empty());
    const auto commands = model_commands(plan, wanted);
    ASSERT_EQ(commands[0].commands.size(), 3U);
    const auto run = (folder_ / "runs/copy-rotary/seed-3").string();
    EXPECT_THAT(commands[0].commands[1],
                ElementsAre("probe", "tasks", run, "--items", "40", "--seed", "7", "--out", run + "/probes.jsonl"));
    EXPECT_EQ(commands[0].commands[2][3], "position.scaling=linear");
}

TEST_F(ProbeStudy, OnlyRowsOfTheSameMeasurementCount) {
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
                    probe_row_from_json({{"probe", "tasks"}}, "file:3");
                }),
                HasSubstr("file:3: "));
}

TEST_F(ProbeStudy, SavedRowsStandForATrainingAndMakeTheTable) {
    const auto wanted = request();
    auto plan = plan_study(wanted);
    for (std::size_t i = 0; i < 2; ++i) {  // copy-rotary and copy-changed, which share their models
        auto& variant = plan.variants[i];
        variant.done = {true, true};
        for (std::size_t range = 0; range < variant.probe_cells.size(); ++range) {
            for (std::size_t seed = 0; seed < 2; ++seed) {
                const auto& model = plan.models[variant.models[seed]];
                const double exact = (i == 0 ? 1.0 : 0.5) - 0.25 * static_cast<double>(seed);
                variant.probe_rows.push_back(score(model, model.probes[i], range, exact));
            }
        }
    }
    ASSERT_TRUE(write_saved_rows(wanted.settings.rows, plan, wanted.context));
    plan = plan_study(wanted);
    EXPECT_EQ(plan.from_rows, 2U);
    EXPECT_TRUE(plan.models[0].done());
    EXPECT_FALSE(plan.models[2].done());

    const auto table = summarize(plan);
    const auto& rotary = table.probes[0][0];
    EXPECT_EQ(rotary.seeds, 2);
    EXPECT_DOUBLE_EQ(rotary.mean, 0.875);
    EXPECT_NEAR(rotary.sd, 0.25 / std::sqrt(2.0), 1e-12);
    EXPECT_EQ(rotary.interval->low, 0) << "an interval of shares ends at 0 and 1";
    EXPECT_EQ(rotary.interval->high, 1);
    const auto& changed = table.probes[1][3];
    EXPECT_EQ(changed.pairs, 2);
    EXPECT_DOUBLE_EQ(changed.difference, -0.5);
    EXPECT_DOUBLE_EQ(changed.difference_interval->high, -0.5) << "both seeds differ alike";
    EXPECT_EQ(table.probes[2][0].seeds, 0);

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

// ---- models of a text ----

constexpr const char* kTextStudy = R"(name: read
base: text.yaml
vary:
  method:
    rotary: {position.method: rotary}
    learned: {position.method: learned}
    cope: {position.method: cope}
seeds: [3, 5]
probe: {KIND}
baseline: rotary
rows: rows
)";

class TextProbeStudy : public ProbeStudy {
protected:
    StudyPlan plan_of(const std::string& kind) {
        write("text.yaml", std::string(kBase) + "data: {store: there, train: t.txt, valid: v.txt}\n" +
                               "tokenizer: {kind: bpe, vocab_size: 300}\n");
        auto text = std::string(kTextStudy);
        text.replace(text.find("KIND"), 4, kind);
        write("study.yaml", text);
        return plan_study(request());
    }

    // Writes a row for each that the plan wants of the models of `rotary`, with what `found` makes of its index and of
    // its model's, and returns the plan that finds them.
    StudyPlan measured(const std::string& kind, const std::function<Json(std::size_t row, double seed)>& found) {
        auto plan = plan_of(kind);
        auto& variant = plan.variants.front();
        variant.done = {true, true};
        for (std::size_t seed = 0; seed < 2; ++seed) {
            const auto& model = plan.models[variant.models[seed]];
            for (std::size_t row = 0; row < model.probes[0].rows.size(); ++row)
                variant.probe_rows.push_back(
                    row_of(model, model.probes[0], row, found(row, static_cast<double>(seed))));
        }
        EXPECT_TRUE(write_saved_rows(request().settings.rows, plan, request().context));
        plan = plan_study(request());
        EXPECT_EQ(plan.from_rows, 2U);
        return plan;
    }
    std::vector<std::string> command(const StudyPlan& plan, std::size_t model) {
        return model_commands(plan, request())[model].commands.back();
    }
};

TEST_F(TextProbeStudy, PasskeysByLength) {
    const std::string kind = "kind: passkey, multiples: [1, 4], items: 30";
    const auto planned = plan_of(kind);
    const auto train_length = planned.variants[0].config.train.length;
    const auto run = (folder_ / "runs/rotary/seed-3").string();
    EXPECT_THAT(command(planned, 0), ElementsAre("probe", "passkey", run, "--lengths",
                                                 std::to_string(train_length) + "," + std::to_string(4 * train_length),
                                                 "--items", "30", "--seed", "1", "--out", run + "/probes.jsonl"));
    EXPECT_EQ(command(planned, 2)[4], std::to_string(train_length)) << "as far as learned positions reach";
    const auto plan = measured(kind, [](std::size_t row, double seed) {
        return Json{{"hits", row == 0 ? 0.5 + seed / 4 : 0}, {"hits_ci", {0.25, 0.75}}, {"rank", 9}};
    });
    const auto table = summarize(plan);
    EXPECT_DOUBLE_EQ(table.probes[0][0].mean, 0.625);
    EXPECT_NEAR(table.probes[0][0].sd, 0.25 / std::sqrt(2.0), 1e-12);
    EXPECT_DOUBLE_EQ(table.probes[0][1].mean, 0);
    const auto text = render_study(plan, request().settings, table, TextFormat::markdown);
    for (const auto* part : {"| 4L |", "0.625 ± 0.177", "hits", "Measured on 30 texts of each length, seed 1.",
                             "learned: the positions end at ", "4 of 6 models are not done yet"})
        EXPECT_THAT(text, HasSubstr(part));
    const auto json = parse_json(render_study(plan, request().settings, table, TextFormat::json));
    EXPECT_EQ(json["models"][0]["cells"][0]["length"], train_length);
    EXPECT_EQ(json["models"][0]["cells"][0]["rows"][1]["rank"], 9);
    EXPECT_EQ(study_charts(plan, request().settings, table).size(), 1U);
}

TEST_F(TextProbeStudy, GainsByContextAndTheEffectiveContext) {
    const std::string kind = "kind: context, lengths: [8, 4096], items: 30, seed: 4";
    const auto planned = plan_of(kind);
    const auto trained = std::to_string(planned.variants[0].config.train.length);
    const auto words = command(planned, 0);
    EXPECT_THAT(std::vector<std::string>(words.begin() + 3, words.begin() + 9),
                ElementsAre("--contexts", "8," + trained + ",4096", "--data", "there", "--split", "valid"))
        << "the trained length is measured in any case";
    const auto plan = measured(kind, [](std::size_t /*row*/, double seed) {
        const auto gain = [](double value) { return Json{{"gain", value}, {"gain_ci", {value - 1, value + 1}}}; };
        return Json{{"contexts", {gain(-1), gain(0), gain(0.5 + seed)}},
                    {"effective_context", seed == 0 ? Json(4096) : Json()}};
    });
    const auto table = summarize(plan);
    ASSERT_EQ(table.probes[0].size(), 3U);
    EXPECT_DOUBLE_EQ(table.probes[0][0].mean, -1);
    EXPECT_DOUBLE_EQ(table.probes[0][1].mean, 1.0);
    EXPECT_GT(table.probes[0][1].interval->high, 1.0) << "a gain has no greatest value";
    EXPECT_EQ(table.probes[0][2].seeds, 1) << "one model has none";
    EXPECT_DOUBLE_EQ(table.probes[0][2].mean, 4096);
    const auto text = render_study(plan, request().settings, table, TextFormat::markdown);
    for (const auto* part : {"effective", "1.000 ± 0.707", "4096 (1)", "30 targets of the valid split, seed 4"})
        EXPECT_THAT(text, HasSubstr(part));
    EXPECT_EQ(plan_of(kind + ", split: test").from_rows, 0U);
    EXPECT_EQ(plan_of("kind: context, lengths: [8, 2048], items: 30, seed: 4").from_rows, 0U);
}

TEST_F(TextProbeStudy, ShapesOfAttentionAreMeansOverHeads) {
    const std::string kind = "kind: attention, multiples: [2]";
    const auto planned = plan_of(kind);
    EXPECT_EQ(planned.variants[2].probe_cells[0].absent, "the method computes attention itself");
    EXPECT_TRUE(planned.models[4].probes.empty());
    EXPECT_EQ(command(planned, 0)[3], "--length");
    const auto plan = measured(kind, [](std::size_t row, double seed) {
        return Json{{"entropy", 0.25 + 0.5 * static_cast<double>(row)},  // of the two heads
                    {"entropy_beyond", row == 0 ? Json() : Json(0.5)},
                    {"sinks", seed},
                    {"near", Json()},
                    {"far", 0}};
    });
    const auto table = summarize(plan);
    EXPECT_DOUBLE_EQ(table.probes[0][0].mean, 0.5);
    EXPECT_DOUBLE_EQ(table.probes[0][1].mean, 0.5);
    EXPECT_DOUBLE_EQ(table.probes[0][2].mean, 0.5);
    EXPECT_EQ(table.probes[0][3].seeds, 0);
    EXPECT_THAT(error_of<ConfigError>([&] { plan_of("kind: attention, lengths: [8, 16]"); }),
                HasSubstr("study.yaml:9: probe: attention is looked at in windows of one length"));
    EXPECT_TRUE(study_charts(plan, request().settings, table).empty());
}

}  // namespace
}  // namespace longbow
