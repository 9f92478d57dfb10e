// Tests what each name of `longbow reproduce` plans, what counts as done, and the commands that result. No model is
// trained here.
#include "longbow/paper/reproduce.h"

#include <fmt/core.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "longbow/config/load.h"
#include "longbow/core/error.h"
#include "longbow/core/strings.h"
#include "longbow/eval/eval_result.h"
#include "longbow/grid/commands.h"
#include "longbow/model/flops.h"

namespace longbow {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const fs::path kConfigs = fs::path(LONGBOW_TEST_DATA).parent_path() / "configs";

class Reproduce : public testing::Test {
protected:
    void SetUp() override {
        folder_ = fs::path(testing::TempDir()) /
                  ("reproduce_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
        fs::remove_all(folder_);
    }

    ReproduceRequest request(std::vector<std::string> names, const Scale& scale = {}) const {
        ReproduceRequest request;
        request.names = std::move(names);
        request.scale = scale;
        request.run_dir = folder_;
        request.configs = kConfigs;
        request.context = registered_config_context();
        return request;
    }

    ReproducePlan plan(std::vector<std::string> names, const Scale& scale = {}) const {
        return plan_reproduction(request(std::move(names), scale));
    }

    static std::vector<std::string> names_of(const ReproducePlan& plan) {
        std::vector<std::string> names;
        for (const auto& model : plan.models) names.push_back(model.name);
        return names;
    }

    // Makes the files that a training leaves.
    void train(const std::string& model, std::int64_t updates) const {
        const auto step = fmt::format("step-{:08}", updates);
        const auto checkpoints = folder_ / model / "checkpoints";
        fs::create_directories(checkpoints / step);
        std::ofstream(checkpoints / step / "manifest.json") << "{}";
        std::ofstream(checkpoints / step / "state.json") << "{}";
        fs::remove(checkpoints / "last");
        fs::create_directory_symlink(step, checkpoints / "last");
    }

    void evaluate(const std::string& model, const std::string& file, std::int64_t length, std::int64_t stride,
                  std::int64_t limit = 0) const {
        EvalResult row;
        row.position = model.find("alibi") != std::string::npos ? "alibi" : "sinusoidal";
        row.protocol = "paper";
        row.split = "valid";
        row.train_length = std::stoll(model.substr(model.rfind('-') + 1));
        row.length = length;
        row.stride = stride;
        row.max_stream_tokens = limit;
        row.tokens = 1000;
        row.ppl = 50;
        append_result((folder_ / model / file).string(), row);
    }

    fs::path folder_;
};

TEST_F(Reproduce, EachNameHasItsModels) {
    const std::pair<const char*, std::size_t> counts[] = {
        {"table1", 12},      {"table2", 4},     {"table3", 4},   {"table4", 4},  {"table5", 22},  {"table6", 5},
        {"table7", 5},       {"table8", 6},     {"table9", 3},   {"table10", 3}, {"table11", 4},  {"table12", 6},
        {"table13", 3},      {"table14", 3},    {"table15", 3},  {"figure1", 8}, {"figure2", 12}, {"figure4", 10},
        {"figure5", 4},      {"figure6", 4},    {"figure7", 16}, {"figure8", 6}, {"figure9", 6},  {"figure11", 6},
        {"wikitext103", 22}, {"bookcorpus", 6}, {"cc100", 6},    {"all", 34},
    };
    for (const auto& [name, models] : counts) {
        EXPECT_EQ(plan({name}).models.size(), models) << name;
        EXPECT_EQ(plan({name}, demo_scale()).models.size(), std::string(name) == "all" ? 22U : models) << name;
    }
    EXPECT_EQ(plan({"all"}).tables.size(), 15U);
    EXPECT_EQ(plan({"all"}).figures.size(), 9U);
    EXPECT_EQ(plan({"table2", "table5", "table13", "figure1"}, demo_scale()).models.size(), 22U);
    EXPECT_THAT(names_of(plan({"table13"})), ElementsAre("wikitext103/sinusoidal-512", "wikitext103/sinusoidal-1024",
                                                         "wikitext103/sinusoidal-3072"));
}

TEST_F(Reproduce, UnknownNamesAreRefusedWithTheNearest) {
    try {
        plan({"tabel5"});
        FAIL();
    } catch (const UsageError& error) {
        EXPECT_THAT(error.what(), HasSubstr("did you mean 'table5'"));
    }
    EXPECT_THROW(plan({"figure3"}), UsageError);  // a diagram
    auto elsewhere = request({"table2"});
    elsewhere.configs = folder_ / "nowhere";
    EXPECT_THROW(plan_reproduction(elsewhere), UsageError);
}

TEST_F(Reproduce, ASharedModelIsPlannedOnce) {
    const auto both = plan({"table2", "table5", "table13"});
    auto names = names_of(both);
    std::sort(names.begin(), names.end());
    EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
    const auto sinusoidal = std::find_if(both.models.begin(), both.models.end(),
                                         [](const auto& model) { return model.name == "wikitext103/sinusoidal-512"; });
    ASSERT_EQ(sinusoidal->evals.size(), 2U);  // non-overlapping, and stride 1
    EXPECT_EQ(sinusoidal->evals[0].lengths.size(), 35U);
    EXPECT_TRUE(sinusoidal->evals[0].one_at_a_time);
    EXPECT_EQ(sinusoidal->evals[1].stride, 1);
    EXPECT_THAT(sinusoidal->evals[1].lengths, ElementsAre(512, 1024, 1536, 2048, 3072));
    EXPECT_FALSE(sinusoidal->evals[1].one_at_a_time);
}

TEST_F(Reproduce, TheDemoIsSmall) {
    const auto demo = plan({"table2", "table5", "table13", "figure1"}, demo_scale());
    for (const auto& model : demo.models) {
        EXPECT_EQ(model.updates, 652) << model.name;
        EXPECT_EQ(model.data_set, "austen") << model.name;
        EXPECT_DOUBLE_EQ(model.tokens, 652 * 1536) << model.name;
        EXPECT_EQ(model.config.train.batch * model.config.train.length, 1536) << model.name;
        for (const auto& eval : model.evals) {
            for (const auto length : eval.lengths) EXPECT_LE(length, 2004) << model.name;
            EXPECT_EQ(eval.stream_tokens, eval.stride == 1 ? 4096 : 0);
        }
    }
    EXPECT_THAT(plan_text(demo, request({"table2"}, demo_scale())), HasSubstr("NOT A REPRODUCTION"));
}

TEST_F(Reproduce, WhatIsThereIsDone) {
    const auto missing_of = [&](const char* name) {
        std::size_t missing = 0;
        for (const auto& model : plan({name}, demo_scale()).models) {
            missing += !model.trained();
            for (const auto& eval : model.evals) missing += eval.missing.size();
        }
        return missing;
    };
    EXPECT_EQ(missing_of("table13"), 3U + 5 + 4 + 1);
    train("demo/sinusoidal-64", 300);
    EXPECT_EQ(missing_of("table13"), 13U);
    EXPECT_THAT(plan_text(plan({"table13"}, demo_scale()), request({"table13"}, demo_scale())),
                HasSubstr("at 300 of 652 updates"));
    train("demo/sinusoidal-64", 652);
    EXPECT_EQ(missing_of("table13"), 12U);
    evaluate("demo/sinusoidal-64", "results.jsonl", 64, 1, 4096);
    EXPECT_EQ(missing_of("table13"), 11U);
    evaluate("demo/sinusoidal-64", "results.jsonl", 128, 1);  // the whole split, which the demo does not measure
    evaluate("demo/sinusoidal-64", "results.jsonl", 192, 192, 4096);  // without overlap
    EXPECT_EQ(missing_of("table13"), 11U);
}

TEST_F(Reproduce, CommandsComeInOrder) {
    const auto wanted = request({"table13"}, demo_scale());
    train("demo/sinusoidal-384", 652);
    const auto chains = model_commands(plan_reproduction(wanted), wanted);
    ASSERT_EQ(chains.size(), 3U);
    ASSERT_EQ(chains[0].commands.size(), 2U);
    EXPECT_EQ(chains[0].commands[0].front(), "train");
    EXPECT_THAT(join(chains[0].commands[0], " "),
                HasSubstr("position.method=sinusoidal train.length=64 train.batch=24"));
    EXPECT_THAT(join(chains[0].commands[1], " "), HasSubstr("--lengths 64,128,192,256,384"));
    EXPECT_THAT(join(chains[0].commands[1], " "), HasSubstr("--stride 1 --max-stream-tokens 4096"));
    EXPECT_EQ(chains[2].commands.size(), 1U);  // trained already
    EXPECT_EQ(chains[2].commands[0].front(), "eval");
}

// Table 11 needs two models at an early stop. They are evaluated before the training continues, whether or not that
// table is among the names.
TEST_F(Reproduce, EarlyStopsAreMeasuredOnTheWay) {
    for (const auto* name : {"table11", "table12"}) {
        const auto wanted = request({name});
        const auto made = plan_reproduction(wanted);
        const auto chains = model_commands(made, wanted);
        const auto chain = std::find_if(chains.begin(), chains.end(),
                                        [](const auto& one) { return one.name == "cc100/sinusoidal-1024"; });
        ASSERT_NE(chain, chains.end());
        ASSERT_GE(chain->commands.size(), 4U);
        EXPECT_THAT(join(chain->commands[0], " "), HasSubstr("train.stop=46700 updates"));
        EXPECT_THAT(join(chain->commands[1], " "), HasSubstr("cc100/sinusoidal-1024@last"));
        EXPECT_THAT(join(chain->commands[1], " "), HasSubstr("early.jsonl --data-set cc100"));
        EXPECT_THAT(join(chain->commands[2], " "), Not(HasSubstr("train.stop")));
        EXPECT_EQ(chain->commands[2].front(), "train");
        EXPECT_EQ(chain->commands[3].front(), "eval");
    }
    train("cc100/sinusoidal-1024", 46700);
    const auto wanted = request({"table11"});
    const auto chains = model_commands(plan_reproduction(wanted), wanted);
    const auto chain =
        std::find_if(chains.begin(), chains.end(), [](const auto& one) { return one.name == "cc100/sinusoidal-1024"; });
    EXPECT_EQ(chain->commands[0].front(), "eval");  // the stop is reached, but its measurement is missing
}

TEST_F(Reproduce, OverridesReachTrainingAndTheLabel) {
    auto wanted = request({"table13"}, demo_scale());
    wanted.overrides = {"train.stop=20 updates", "schedule.warmup=2 updates", "schedule.period=20 updates"};
    wanted.scale.changes = wanted.overrides;
    const auto made = plan_reproduction(wanted);
    EXPECT_EQ(made.models.front().updates, 20);
    EXPECT_THAT(plan_text(made, wanted), HasSubstr("Settings changed by the caller: train.stop=20 updates"));
    EXPECT_THAT(shell_script(made, wanted), HasSubstr("'train.stop=20 updates'"));
}

TEST_F(Reproduce, EveryModelHasARowOfItsOwn) {
    // The row is needed to find the speed and memory of training.
    for (const auto* name : {"table1", "figure2", "table5", "table12"}) {
        for (const auto& model : plan({name}).models) {
            EXPECT_TRUE(std::any_of(model.evals.begin(), model.evals.end(),
                                    [](const auto& eval) { return eval.file == "results.jsonl"; }))
                << name << " " << model.name;
        }
    }
}

TEST_F(Reproduce, ARunOfOtherSettingsIsRefused) {
    const auto wanted = request({"table13"});
    const auto model = plan_reproduction(wanted).models.front();
    train(model.name, 20000);
    const auto write = [&](const Config& config) {
        std::ofstream(folder_ / model.name / "config.yaml") << config_yaml(config, wanted.context);
    };
    auto config = model.config;
    config.train.stop = Duration{20000, Duration::Unit::updates};  // an early stop before the end
    write(config);
    EXPECT_EQ(plan({"table13"}).models.front().done_updates, 20000);
    config.model.dropout = 0.25;
    write(config);
    try {
        plan({"table13"});
        FAIL();
    } catch (const ConfigError& error) {
        EXPECT_THAT(error.what(),
                    AllOf(HasSubstr("model.dropout: 0.25 -> 0.3"), HasSubstr("choose another --run-dir")));
    }
}

TEST_F(Reproduce, SkippedUpdatesAreNoProgressWhereTheyDoNotCount) {
    const auto model = plan({"table13"}).models.front();
    ASSERT_FALSE(model.config.train.count_skipped);
    train(model.name, 286050);
    std::ofstream(folder_ / model.name / "checkpoints/last/state.json") << R"({"skipped_updates": 120})";
    EXPECT_EQ(plan({"table13"}).models.front().done_updates, 285930);
    EXPECT_FALSE(plan({"table13"}).models.front().trained());
}

TEST_F(Reproduce, OneSeedAModel) {
    auto wanted = request({"table13"}, demo_scale());
    wanted.overrides = {"train.seeds=[1, 2]", "train.seed=null"};
    EXPECT_THROW(plan_reproduction(wanted), UsageError);
}

TEST_F(Reproduce, CostsStandOnTheStatedThroughput) {
    const auto made = plan({"all"});
    for (const auto& model : made.models) EXPECT_GT(model.train_seconds, 0) << model.name;
    const auto alibi = std::find_if(made.models.begin(), made.models.end(),
                                    [](const auto& model) { return model.name == "wikitext103/alibi-512"; });
    EXPECT_NEAR(alibi->train_seconds, 286000.0 * 73728 / 28304, 1);  // Figure 7
    const auto t5 = std::find_if(made.models.begin(), made.models.end(),
                                 [](const auto& model) { return model.name == "wikitext103/t5-3072"; });
    EXPECT_NEAR(t5->train_seconds, 286000.0 * 73728 / 4300, 1);  // Table 1
    const auto large = std::find_if(made.models.begin(), made.models.end(),
                                    [](const auto& model) { return model.name == "cc100/alibi-2048"; });
    EXPECT_NEAR(large->train_seconds, 6700 * 3600.0, 1);  // Table 12
    const auto text = plan_text(made, request({"all"}));
    for (const auto& model : made.models) EXPECT_THAT(text, HasSubstr(model.name));
    EXPECT_THAT(text, HasSubstr("GPU hours of one V100"));
}

TEST_F(Reproduce, ScriptsHoldEveryModel) {
    const auto wanted = request({"table13"});
    const auto made = plan_reproduction(wanted);
    const auto slurm = slurm_script(made, wanted);
    EXPECT_THAT(slurm, HasSubstr("#SBATCH --array=0-2\n"));
    EXPECT_THAT(slurm, HasSubstr("2)  # wikitext103/sinusoidal-3072\n    step longbow train"));
    EXPECT_THAT(slurm, HasSubstr("# First, once: longbow prepare"));
    const auto shell = shell_script(made, wanted);
    EXPECT_THAT(shell, HasSubstr("longbow eval " + (folder_ / "wikitext103/sinusoidal-3072").string()));
    EXPECT_THAT(shell, HasSubstr("longbow reproduce table13 --scale paper"));
    EXPECT_THAT(shell, testing::StartsWith("set -eu\n"));
}

TEST_F(Reproduce, TablesFiguresAndClaimsAreWritten) {
    const auto wanted = request({"table2", "figure1"}, demo_scale());
    for (const auto* model : {"demo/alibi-64", "demo/sinusoidal-64"}) {
        train(model, 652);
        evaluate(model, "results.jsonl", 64, 64);
        evaluate(model, "results.jsonl", 1939, 1939);
    }
    const auto output = write_reproduction(plan_reproduction(wanted), wanted);
    EXPECT_THAT(output.markdown, HasSubstr("50.00"));
    EXPECT_THAT(output.markdown, HasSubstr("NOT A REPRODUCTION"));
    EXPECT_TRUE(fs::exists(folder_ / "tables" / "table2.csv"));
    std::ifstream file(folder_ / "figures" / "figure1.svg");
    const std::string svg{std::istreambuf_iterator<char>(file), {}};
    EXPECT_THAT(svg, HasSubstr("ALiBi, paper"));
    EXPECT_THAT(svg, HasSubstr("ALiBi, ours"));
    EXPECT_THAT(svg, HasSubstr("NOT A REPRODUCTION"));
    EXPECT_THAT(svg, Not(HasSubstr("nan")));
    // Both models keep their perplexity, which is right for ALiBi and wrong for sinusoidal.
    ASSERT_EQ(output.claims.size(), 2U);
    EXPECT_TRUE(output.claims[0].holds);
    EXPECT_FALSE(output.claims[1].holds);
    EXPECT_DOUBLE_EQ(output.claims[1].ratio, 1);
}

TEST_F(Reproduce, EveryFigureDrawsWithoutOurNumbers) {
    const auto wanted = request({"all"});
    const auto output = write_reproduction(plan_reproduction(wanted), wanted);
    for (const auto* figure :
         {"figure1", "figure2", "figure4", "figure5", "figure6", "figure7", "figure8", "figure9", "figure11"}) {
        EXPECT_TRUE(fs::exists(folder_ / "figures" / (std::string(figure) + ".svg"))) << figure;
    }
    EXPECT_EQ(output.claims.size(), 0U);
    EXPECT_THAT(output.markdown, HasSubstr("### Table 15. "));
}

TEST_F(Reproduce, TheTimeHereComesFromTheMeter) {
    auto demo = request({"table13"}, demo_scale());
    demo.jobs = 2;
    int calls = 0;
    std::vector<TimedEval> asked;
    demo.meter = [&](const Config&, std::int64_t vocab_size, const std::vector<TimedEval>& evals) {
        ++calls;
        asked = evals;
        EXPECT_EQ(vocab_size, 2048);
        return LocalSpeed{0.5, std::vector<double>(evals.size(), 0.0)};
    };
    const auto plan = plan_reproduction(demo);
    EXPECT_EQ(calls, 1) << "three lengths of one method are timed once";
    EXPECT_THAT(asked, testing::Contains(TimedEval{64, 1, false}));
    const auto per_token = [](const PlannedModel& model) {
        return ForwardFlops(model.config, 2048).token(model.config.train.length);
    };
    double expected = 0;
    for (const auto& model : plan.models) expected += 652 * 0.5 * per_token(model) / per_token(plan.models.front());
    EXPECT_NEAR(plan.local_seconds, expected / 2, 1e-6);
    EXPECT_THAT(plan_text(plan, demo), HasSubstr("on this machine about"));

    demo.meter = [](const Config&, std::int64_t, const std::vector<TimedEval>&) -> LocalSpeed {
        throw Error("no such product\nhere");
    };
    const auto text = plan_text(plan_reproduction(demo), demo);
    EXPECT_THAT(text, HasSubstr("on this machine: cannot be measured: no such product\n"));
}

TEST_F(Reproduce, StepsWeighByTheirFlops) {
    const auto all = request({"table11", "table13"}, demo_scale());
    const auto plan = plan_reproduction(all);
    for (const auto& chain : model_commands(plan, all)) {
        const auto model = std::find_if(plan.models.begin(), plan.models.end(),
                                        [&](const auto& one) { return one.name == chain.name; });
        ASSERT_EQ(chain.costs.size(), chain.commands.size());
        double training = 0;
        for (std::size_t i = 0; i < chain.costs.size(); ++i) {
            EXPECT_GT(chain.costs[i], 0) << chain.name;
            if (chain.commands[i].front() == "train") training += chain.costs[i];
        }
        EXPECT_NEAR(training / model->train_flops, 1, 1e-9) << "an early stop shares the training out";
    }
}

}  // namespace
}  // namespace longbow
