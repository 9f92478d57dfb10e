// Tests that every configuration file of the paper's models loads and gives the numbers of the authors' recipe.
#include <gmock/gmock.h>

#include <filesystem>
#include <map>

#include "longbow/config/load.h"
#include "longbow/core/strings.h"
#include "longbow/data/batches.h"

namespace longbow {
namespace {

namespace fs = std::filesystem;

const fs::path kConfigs = fs::path(LONGBOW_TEST_DATA).parent_path() / "configs";

Config load(const fs::path& file) { return load_config({{file.string()}, {}}, registered_config_context()); }

TEST(PaperConfigs, EachFileIsWhatItsNameSays) {
    const std::map<std::string, std::size_t> counts{{"wikitext103", 22}, {"bookcorpus", 6}, {"cc100", 6}};
    for (const auto& [dataset, count] : counts) {
        std::size_t found = 0;
        for (const auto& entry : fs::directory_iterator(kConfigs / dataset)) {
            const auto name = entry.path().stem().string();
            const auto parts = split(name, '-');
            if (parts.size() != 2 || parts[0] == "length") continue;  // pieces that files include
            ++found;
            const auto config = load(entry.path());
            EXPECT_EQ(config.position.method, parts[0]) << entry.path();
            EXPECT_EQ(std::to_string(config.train.length), parts[1]) << entry.path();
            EXPECT_EQ(config.data.store, "data/corpora/" + dataset + "/store") << entry.path();
            EXPECT_EQ(config.train.dtype, DType::fp16) << entry.path();
        }
        EXPECT_EQ(found, count) << dataset;
    }
}

TEST(PaperConfigs, WikiText103HasTheRecipesBatches) {
    struct Row {
        std::int64_t length, sequences, tokens, updates_an_epoch;
        double epochs;
    };
    // Inputs per GPU and micro-batch, tokens per update on 8 GPUs, updates per epoch, epochs in 286,000 updates.
    const Row rows[] = {{64, 144, 73728, 1401, 204.1}, {128, 72, 73728, 1401, 204.1}, {256, 36, 73728, 1401, 204.1},
                        {512, 18, 73728, 1401, 204.1}, {1024, 9, 73728, 1401, 204.1}, {1536, 6, 73728, 1401, 204.1},
                        {2048, 4, 65536, 1576, 181.5}, {3072, 1, 73728, 1401, 204.1}};
    for (const auto& row : rows) {
        for (const auto* method : {"alibi", "sinusoidal"}) {
            const auto config =
                load(kConfigs / "wikitext103" / (std::string(method) + "-" + std::to_string(row.length) + ".yaml"));
            EXPECT_EQ(config.train.batch, row.sequences) << row.length;
            EXPECT_EQ(config.train.batch * config.train.accumulate * config.train.length, row.tokens) << row.length;
            EXPECT_EQ(config.data.expect_train_tokens, 103227021);
            const double epoch = training_order(config.data.expect_train_tokens, config.train)->updates_per_epoch();
            EXPECT_DOUBLE_EQ(epoch, static_cast<double>(row.updates_an_epoch)) << row.length;
            EXPECT_NEAR(config.train.stop.value / epoch, row.epochs, 0.05) << row.length;
            EXPECT_EQ(config.train.loss_scale_window, row.length == 3072 ? 682 : 2048);
        }
    }
}

TEST(PaperConfigs, WikiText103IsTheAuthorsModel) {
    const auto config = load(kConfigs / "wikitext103" / "alibi-512.yaml");
    const auto& model = config.model;
    EXPECT_EQ(model.layers, 16);
    EXPECT_EQ(model.dim, 1024);
    EXPECT_EQ(model.heads, 8);
    EXPECT_EQ(model.ffn_dim, 4096);
    EXPECT_FALSE(model.final_norm);
    EXPECT_TRUE(model.key_bias && model.tie_output && model.tie_projections);
    EXPECT_THAT(model.adaptive_cutoffs, testing::ElementsAre(20000, 60000));
    EXPECT_EQ(config.data.expect_vocab_size, 267744);
    EXPECT_EQ(config.optim.name, "nag");
    EXPECT_DOUBLE_EQ(config.optim.momentum, 0.99);
    EXPECT_DOUBLE_EQ(config.optim.clip_norm, 0.1);
    EXPECT_EQ(config.train.order, DataOrder::fairseq);
    EXPECT_EQ(config.train.stop.text(), "286K updates");
    EXPECT_EQ(model.activation, Activation::relu);
    EXPECT_DOUBLE_EQ(model.adaptive_factor, 4);
    EXPECT_DOUBLE_EQ(model.dropout, 0.3);
    EXPECT_DOUBLE_EQ(model.attention_dropout, 0.1);
    EXPECT_DOUBLE_EQ(model.activation_dropout, 0.1);
    EXPECT_DOUBLE_EQ(model.output_dropout, 0.2);
    EXPECT_DOUBLE_EQ(model.tail_dropout, 0.2);
    EXPECT_DOUBLE_EQ(config.optim.lr, 1.0);
    EXPECT_DOUBLE_EQ(config.optim.weight_decay, 0.0);
    EXPECT_EQ(config.schedule.name, "cosine");
    EXPECT_EQ(config.schedule.warmup.text(), "16K updates");
    EXPECT_DOUBLE_EQ(config.schedule.warmup_init_lr, 1e-7);
    EXPECT_TRUE(config.schedule.warmup_at_init);
    EXPECT_DOUBLE_EQ(config.schedule.min_lr, 1e-4);
    EXPECT_EQ(config.schedule.period.text(), "286K updates");
    EXPECT_EQ(config.train.seed, 1);
    EXPECT_DOUBLE_EQ(config.train.loss_scale, 128);
    EXPECT_EQ(config.train.scaled_loss, ScaledLoss::sum);
    EXPECT_FALSE(config.train.count_skipped);
    EXPECT_TRUE(config.train.skip_second_tail_words);
    for (const auto* name : {"bookcorpus/alibi-512.yaml", "bookcorpus/sinusoidal-3072.yaml"}) {
        const auto books = load(kConfigs / name);
        EXPECT_TRUE(books.model.adaptive_cutoffs.empty()) << name;
        EXPECT_EQ(books.data.expect_vocab_size, 28996) << name;
        EXPECT_EQ(books.tokenizer.kind, "wordpiece") << name;
        EXPECT_FALSE(books.train.skip_second_tail_words) << name;
    }
}

TEST(PaperConfigs, Cc100HasBaseLayersBatch) {
    for (const auto* name :
         {"alibi-512", "alibi-1024", "alibi-2048", "sinusoidal-512", "sinusoidal-1024", "sinusoidal-2048"}) {
        const auto config = load(kConfigs / "cc100" / (std::string(name) + ".yaml"));
        EXPECT_EQ(config.train.batch * config.train.accumulate * config.train.length, 2097152) << name;
        EXPECT_THAT(config.eval.lengths, testing::ElementsAre(config.train.length, 2 * config.train.length)) << name;
        EXPECT_EQ(config.model.layers, 25) << name;
        EXPECT_EQ(config.model.dim, 2048) << name;
        EXPECT_EQ(config.model.heads, 16) << name;
        EXPECT_EQ(config.model.ffn_dim, 8192) << name;
        EXPECT_EQ(config.train.stop.text(), "50K updates") << name;
        EXPECT_EQ(config.data.documents, DocumentRule::blank_line) << name;
        EXPECT_EQ(config.data.blank_lines, 1) << name;
    }
}

}  // namespace
}  // namespace longbow
