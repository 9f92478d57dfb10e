// Tests which models and lengths each table of another paper plans, and our numbers beside the published ones. No model
// is trained here; tests/integration/test_reproduce_papers.py does that.
#include "longbow/paper/other_study.h"

#include <fmt/core.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>

#include "longbow/core/error.h"
#include "longbow/eval/eval_result.h"
#include "longbow/paper/reproduce.h"

namespace longbow {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const fs::path kConfigs = fs::path(LONGBOW_TEST_DATA).parent_path() / "configs";

class OtherStudy : public testing::Test {
protected:
    void SetUp() override {
        folder_ = fs::path(testing::TempDir()) /
                  ("other_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
        fs::remove_all(folder_);
    }

    OtherRequest request(const std::vector<std::string>& names) const {
        OtherRequest request;
        for (const auto& name : names) request.tables.push_back(find_other_table(name));
        request.run_dir = folder_;
        request.configs = kConfigs;
        request.context = registered_config_context();
        return request;
    }

    fs::path folder_;
};

TEST_F(OtherStudy, KerpleHasTheAuthorsModelsAndLengths) {
    for (const auto* name : {"kerple-owt2", "kerple-github", "kerple-arxiv"}) {
        const auto wanted = request({name});
        const auto plan = plan_other(wanted);
        ASSERT_EQ(plan.models.size(), 30U) << "six methods, five seeds";
        std::set<std::string> names;
        for (const auto& model : plan.models) {
            names.insert(model.name);
            EXPECT_EQ(model.updates, 50000);
            EXPECT_DOUBLE_EQ(model.tokens, 50000.0 * 32 * 512);
            EXPECT_EQ(model.config.train.length, 512);
            EXPECT_EQ(model.config.model.layers * model.config.model.dim, 12 * 768);
            EXPECT_EQ(model.config.train.dtype, DType::bf16);
            EXPECT_EQ(model.config.data.store, "data/corpora/" + model.data_set + "/store");
            ASSERT_EQ(model.evals.size(), 6U);
            for (const auto& eval : model.evals) {
                ASSERT_EQ(eval.lengths.size(), 1U);
                EXPECT_EQ(eval.stream_tokens, 320 * *eval.lengths.begin()) << "320 windows of each length";
                EXPECT_EQ(eval.stride, 0);
                EXPECT_EQ(eval.split, "valid");
            }
        }
        for (const auto* method : {"log", "power", "alibi", "t5", "rotary", "sinusoidal"}) {
            for (int seed = 1235; seed <= 1239; ++seed)
                EXPECT_EQ(names.count(fmt::format("{}/{}-{}", name, method, seed)), 1U) << method << seed;
        }
        EXPECT_EQ(plan.models.front().config.position.method, "kerple");
        EXPECT_EQ(plan.models.front().config.train.seed, 1235U);
        const auto text = plan_text(plan, wanted);
        for (const auto* said :
             {"Table 3 of KERPLE (Chi, Fan, Ramadge and Rudnicky, NeurIPS 2022)",
              "published numbers: arXiv 2205.09921v2", "data.store=DIR", "/log-1235",
              "to train, 819.2M tokens in 50,000 updates", "missing 16384", "the first 320 windows of each length"})
            EXPECT_THAT(text, HasSubstr(said)) << name;
    }
    EXPECT_THAT(plan_text(plan_other(request({"kerple-owt2"})), request({"kerple-owt2"})), HasSubstr("23.9 ± 0.6"));
}

TEST_F(OtherStudy, FoxHasTheAuthorsModels) {
    const auto plan = plan_other(request({"fox-longcrawl64"}));
    ASSERT_EQ(plan.models.size(), 3U);
    EXPECT_EQ(plan.models[0].name, "fox-longcrawl64/none-0");
    EXPECT_EQ(plan.models[1].name, "fox-longcrawl64/rotary-0");
    EXPECT_EQ(plan.models[2].name, "fox-longcrawl64/fox-0");
    for (const auto& model : plan.models) {
        EXPECT_EQ(model.updates, 14336);
        EXPECT_DOUBLE_EQ(model.tokens, 7516192768.0) << "7 Gi, train.max_tokens of the authors";
        EXPECT_EQ(model.config.model.ffn_dim, 2816);
        ASSERT_EQ(model.evals.size(), 1U);
        EXPECT_EQ(model.evals[0].stream_tokens, 2147483648) << "eval_tokens of the authors";
        EXPECT_THAT(model.evals[0].lengths, ElementsAre(16384));
    }
}

TEST_F(OtherStudy, PublishedCheckpointsAreShownWithTheirCommands) {
    for (const auto* name : {"pi-pg19", "pi-proofpile", "yarn-llama2-8k", "yarn-llama2-128k", "yarn-mistral"}) {
        const auto wanted = request({name});
        const auto plan = plan_other(wanted);
        EXPECT_TRUE(plan.models.empty());
        EXPECT_THAT(plan_text(plan, wanted), HasSubstr("    longbow eval models/")) << name;
        for (const auto& tried : {std::function<void()>([&] { reproduce_other(wanted); }),
                                  std::function<void()>([&] { shell_script(plan, wanted); }),
                                  std::function<void()>([&] { slurm_script(plan, wanted); })}) {
            try {
                tried();
                ADD_FAILURE() << name;
            } catch (const UsageError& error) {
                EXPECT_THAT(error.what(), AllOf(HasSubstr(name), HasSubstr("--dry-run")));
            }
        }
    }
    const auto wanted = request({"yarn-llama2-128k"});
    EXPECT_THAT(
        plan_text(plan_other(wanted), wanted),
        HasSubstr("longbow eval models/Yarn-Llama-2-7b-64k --protocol yarn --truncate --min-document-tokens 131072 "
                  "--lengths 2048,4096,8192,16384,32768,65536,98304 --text TEXT    # NousResearch/"));
}

TEST_F(OtherStudy, AStoreIsNeededOnlyForARun) {
    const auto wanted = request({"kerple-owt2"});
    EXPECT_THAT(plan_text(plan_other(wanted), wanted), HasSubstr("longbow prepare -c "));
    try {
        reproduce_other(wanted);
        FAIL();
    } catch (const DataError& error) {
        EXPECT_THAT(error.what(), AllOf(HasSubstr("data/corpora/openwebtext2/store: there is no token store"),
                                        HasSubstr("data.store=DIR")));
    }
    EXPECT_FALSE(fs::exists(folder_)) << "nothing begins before the refusal";
    // A script may run where the store is: it trains and evaluates, and prepares nothing of no text.
    const auto script = shell_script(plan_other(wanted), wanted);
    EXPECT_THAT(script, Not(HasSubstr("longbow prepare")));
    EXPECT_THAT(script, HasSubstr("data.store=data/corpora/openwebtext2/store train.seed=1239"));
    EXPECT_THAT(script, HasSubstr("--lengths 16384"));
    EXPECT_THAT(script, HasSubstr("--max-stream-tokens 5242880"));
    EXPECT_THAT(script, HasSubstr("longbow reproduce kerple-owt2 --run-dir"));
}

TEST_F(OtherStudy, TheCallersSettingsReachTheModels) {
    auto wanted = request({"kerple-owt2"});
    wanted.overrides = {"data.store=elsewhere", "train.seed=7"};
    wanted.max_stream_tokens = 1000000;
    const auto plan = plan_other(wanted);
    ASSERT_EQ(plan.models.size(), 6U) << "one seed";
    EXPECT_EQ(plan.models[0].name, "kerple-owt2/log-7");
    EXPECT_EQ(plan.models[0].data_set, "") << "another store is not called the authors' data set";
    EXPECT_EQ(plan.models[0].evals[0].stream_tokens, 163840);
    EXPECT_EQ(plan.models[0].evals.back().stream_tokens, 1000000);
    EXPECT_THAT(plan_text(plan, wanted), HasSubstr("Settings changed by the caller: data.store=elsewhere"));
    wanted.overrides = {"train.seeds=[1, 2]", "train.seed=null"};
    EXPECT_THROW(plan_other(wanted), UsageError);
    wanted.configs = folder_ / "nowhere";
    EXPECT_THROW(plan_other(wanted), UsageError);
}

// Makes the files that a training and its evaluation leave.
void measure(const fs::path& run, std::int64_t updates, std::int64_t length, double ppl) {
    const auto step = fmt::format("step-{:08}", updates);
    const auto checkpoints = run / "checkpoints";
    fs::create_directories(checkpoints / step);
    std::ofstream(checkpoints / step / "manifest.json") << "{}";
    std::ofstream(checkpoints / step / "state.json") << "{}";
    fs::remove(checkpoints / "last");
    fs::create_directory_symlink(step, checkpoints / "last");
    EvalResult row;
    row.position = "kerple";
    row.protocol = "paper";
    row.split = "valid";
    row.train_length = 512;
    row.length = row.stride = length;
    row.max_stream_tokens = 320 * length;
    row.data_set = "openwebtext2";
    row.updates = updates;
    row.tokens = 320 * length;
    row.ppl = ppl;
    append_result((run / "results.jsonl").string(), row);
}

TEST_F(OtherStudy, OursAreMeansOverSeedsBesideThePublished) {
    const auto wanted = request({"kerple-owt2"});
    measure(folder_ / "kerple-owt2/log-1235", 50000, 1024, 23.0);
    measure(folder_ / "kerple-owt2/log-1236", 50000, 1024, 24.0);
    measure(folder_ / "kerple-owt2/log-1237", 20000, 1024, 99.0);  // not trained to its end
    measure(folder_ / "kerple-owt2/power-1235", 50000, 512, 30.0);
    const auto plan = plan_other(wanted);
    EXPECT_TRUE(plan.models[0].trained());
    EXPECT_TRUE(plan.models[0].evals[1].missing.empty());
    EXPECT_EQ(plan.models[0].evals[0].missing.size(), 1U);
    const auto table = render_other_table(*wanted.tables[0], &plan, wanted, TextFormat::csv);
    EXPECT_THAT(table, HasSubstr("KERPLE (log),1024,23.5,17.1–29.9,22.0 ± 0.6,+1.5,paper,"));
    EXPECT_THAT(table, HasSubstr("KERPLE (log),512,,,23.9 ± 0.6,,paper,"));
    EXPECT_THAT(table, HasSubstr("KERPLE (power),512,30.0,,23.9 ± 0.6,+6.1,paper,"));
    EXPECT_THAT(render_other_table(*wanted.tables[0], &plan, wanted, TextFormat::markdown),
                HasSubstr("means over 1 to 2 of 5 seeds"));
    for (const auto format : {TextFormat::latex, TextFormat::json, TextFormat::html})
        EXPECT_THAT(render_other_table(*wanted.tables[0], nullptr, {}, format), HasSubstr("30046"));
}

TEST_F(OtherStudy, AWrongNameIsRefusedWithTheNearest) {
    ReproduceRequest wanted;
    wanted.run_dir = folder_;
    wanted.configs = kConfigs;
    wanted.context = registered_config_context();
    for (const auto& [name, nearest] : std::map<std::string, std::string>{
             {"kerple-owt", "kerple-owt2"}, {"yarn-misral", "yarn-mistral"}, {"tabel5", "table5"}}) {
        wanted.names = {name};
        try {
            plan_reproduction(wanted);
            ADD_FAILURE() << name;
        } catch (const UsageError& error) {
            EXPECT_THAT(error.what(), HasSubstr("did you mean '" + nearest + "'"));
        }
    }
}

}  // namespace
}  // namespace longbow
