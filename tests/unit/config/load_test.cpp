// Tests what a configuration may hold, and which message answers each mistake.
#include "longbow/config/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "context.h"
#include "longbow/core/error.h"
#include "longbow/core/files.h"

namespace longbow {
namespace {

using ::testing::HasSubstr;

std::string error_of(const std::string& yaml) {
    try {
        parse_config(yaml, "x.yaml", test_context());
    } catch (const ConfigError& error) {
        return error.what();
    }
    return "no error";
}

std::string override_error(std::vector<std::string> overrides) {
    try {
        load_config({{}, std::move(overrides)}, test_context());
    } catch (const ConfigError& error) {
        return error.what();
    }
    return "no error";
}

class Files : public ::testing::Test {
protected:
    Files() : folder_(fs::path(testing::TempDir()) / ("longbow_config_" + std::to_string(getpid()))) {
        fs::create_directories(folder_ / "sub");
    }
    ~Files() override { fs::remove_all(folder_); }
    std::string write(const std::string& name, const std::string& text) {
        const auto path = (folder_ / name).string();
        std::ofstream(path) << text;
        return path;
    }
    std::string error_of_files(std::vector<std::string> files) {
        try {
            load_config({std::move(files), {}}, test_context());
        } catch (const ConfigError& error) {
            return error.what();
        }
        return "no error";
    }
    fs::path folder_;
};

TEST(Load, DefaultsAreAValidConfiguration) {
    const Config config = parse_config("", "x.yaml", test_context());
    Config expected;
    expected.position.options = {{"slopes", std::string("authors")}};
    EXPECT_EQ(config, expected);
    EXPECT_EQ(parse_config("model:\ntrain: {}\n", "x.yaml", test_context()), expected);
}

TEST(Load, ReadsEveryType) {
    const Config config = parse_config(R"(
model: {layers: 2, norm_eps: 1e-6, final_norm: false, activation: swiglu}
position: {method: t5, buckets: 64, shared: false}
data: {store: "a b", train: [one.txt, 'two, three.txt'], valid: single.txt}
train: {seed: 18, stop: 2.5B tokens}
eval: {lengths: [64, 128]}
)",
                                       "x.yaml", test_context());
    EXPECT_EQ(config.model.layers, 2);
    EXPECT_EQ(config.model.norm_eps, 1e-6);
    EXPECT_FALSE(config.model.final_norm);
    EXPECT_EQ(config.model.activation, Activation::swiglu);
    EXPECT_EQ(option_int(config.position.options, "buckets"), 64);
    EXPECT_FALSE(option_bool(config.position.options, "shared"));
    EXPECT_EQ(config.data.store, "a b");
    EXPECT_EQ(config.data.train, (std::vector<std::string>{"one.txt", "two, three.txt"}));
    EXPECT_EQ(config.data.valid, (std::vector<std::string>{"single.txt"}));
    EXPECT_EQ(config.train.seed, 18U);
    EXPECT_EQ(config.train.stop, (Duration{2.5e9, Duration::Unit::tokens}));
    EXPECT_EQ(config.eval.lengths, (std::vector<std::int64_t>{64, 128}));
}

TEST(Load, MistakesAreNamedWithFileLineAndRemedy) {
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"train:\n  lenght: 64\n", "x.yaml:2: unknown key 'train.lenght', did you mean 'train.length'?"},
        {"\ntrian:\n  length: 64\n", "x.yaml:2: unknown section 'trian', did you mean 'train'?"},
        {"model:\n  length: 64\n", "x.yaml:2: unknown key 'model.length', did you mean 'task.length' or 'train.length'?"},
        {"lr: 1\n", "unknown section 'lr', did you mean 'optim.lr'?"},
        {"log:\n  zzzzzzzz: 1\n", "unknown key 'log.zzzzzzzz'; there are: every, tensorboard"},
        {"train:\n  length: 64\n  batch: 2\n  length: 128\n", "x.yaml:4: train.length is written here twice"},
        {"train: {length: 64}\ntrain: {batch: 2}\n", "x.yaml:2: train is written here twice"},
        {"train:\n  length: 010\n", "x.yaml:2: train.length: expected an integer without leading zeros, got '010'"},
        {"train:\n  length: 1e3\n", "expected an integer, got '1e3'"},
        {"train:\n  length: 1_000\n", "expected an integer, got '1_000'"},
        {"train:\n  length: 64K\n", "expected an integer, got '64K'"},
        {"train:\n  length: 0x40\n", "expected an integer, got '0x40'"},
        {"train:\n  length: '64'\n", "expected an integer, got the text \"64\""},
        {"train:\n  length: !!str 64\n", "expected an integer, got the text \"64\""},
        {"train:\n  length: 99999999999999999999\n", "does not fit in 64 bits"},
        {"train:\n  length: -1\n",
         "x.yaml:2: train.length: -1 is out of range, it must be at least 0 and at most 1048576"},
        {"train:\n  length: [64]\n", "expected an integer, got a list"},
        {"train:\n  length: {a: 1}\n", "expected an integer, got a mapping"},
        {"train:\n  seed: -1\n", "-1 is out of range, it must be at least 0"},
        {"optim:\n  lr: fast\n", "expected a number, got 'fast'"},
        {"optim:\n  lr: .nan\n", "expected a number, got '.nan'"},
        {"optim:\n  lr: nan\n", "expected a number, got 'nan'"},
        {"optim:\n  lr: inf\n", "is not a finite number"},
        {"optim:\n  lr: 1e999\n", "is not a finite number"},
        {"optim:\n  lr: 0\n", "0 is out of range, it must be above 0"},
        {"optim:\n  beta2: 1\n", "1 is out of range, it must be at least 0 and below 1"},
        {"model:\n  final_norm: yes\n", "expected true or false, got 'yes'"},
        {"model:\n  activation: rleu\n",
         "'rleu' is none of relu, gelu, gelu_tanh, gelu_bloom, swiglu, geglu_tanh; did you mean 'relu'?"},
        {"position:\n  method: alibbi\n", "'alibbi' is none of alibi, none, rotary, t5; did you mean 'alibi'?"},
        {"attention:\n  backend: fussed\n", "'fussed' is none of auto, blocks, reference, sdpa"},
        {"position:\n  bukets: 3\n", "unknown key 'position.bukets', did you mean 'position.buckets'?"},
        {"position:\n  method: t5\n  buckets: 1\n",
         "x.yaml:3: position.buckets: 1 is out of range, it must be at least 2"},
        {"train:\n  stop: 600\n", "x.yaml:2: train.stop: '600' is not a duration: it has no unit"},
        {"train:\n  stop: 600 steps\n", "'steps' is not a unit"},
        {"train:\n  stop: 0 updates\n", "0 updates is out of range, it must be above 0"},
        {"eval:\n  lengths: [64, 0]\n", "0 is out of range"},
        {"eval:\n  lengths: [64, 64]\n", "64 is in the list twice"},
        {"eval:\n  lengths: [[64]]\n", "expected an integer, got a list"},
        {"data:\n  train: [a.txt, null]\n", "data.train: expected a text, got nothing"},
        {"train: 5\n", "x.yaml:1: train: expected keys below it"},
        {"- train\n", "x.yaml:1: expected sections"},
        {"[a, b]: 3\n", "a key must be a plain word"},
        {"train:\n  length: 64\n bad\n", "x.yaml:3: not valid YAML"},
        {"train: {length: 64}\n---\ntrain: {batch: 2}\n", "a second YAML document"},
        {",", "1: not valid YAML: a comma that separates nothing"},
        {"%a\n,", "2: not valid YAML: a comma that separates nothing"},
        {"include: a.yaml\n", "x.yaml:1: include: is only possible in a file"},
        {"train: &a [*a]\n", "x.yaml:1: train: expected keys below it"},
        {std::string("train:\n  length: \xff\n"), "x.yaml: byte 17 (line 2) is not valid UTF-8"},
        {std::string("train:\n  length: 64\0\n", 21),
         "x.yaml: not a text: it contains the control character 0 (line 2)"},
        {"train: {length: 64}\n\x04\nnonsense", "x.yaml: not a text: it contains the control character 4 (line 2)"},
    };
    for (const auto& [yaml, message] : cases) EXPECT_THAT(error_of(yaml), HasSubstr(message)) << yaml;
}

TEST(Load, OptionsWithoutEffectAreErrorsThatNameTheDecider) {
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"optim:\n  name: sgd\n  beta1: 0.9\n",
         "x.yaml:3: optim.beta1 has no effect here: it needs optim.name: adamw or lion, and optim.name is sgd"},
        {"optim:\n  momentum: 0.9\n", "optim.momentum has no effect here: it needs optim.name: nag or sgd"},
        {"optim: {name: sgd, momentum: 0, nesterov: true}\n",
         "optim.nesterov has no effect here: it needs optim.momentum above 0"},
        {"schedule: {name: constant, min_lr: 1e-5}\n",
         "schedule.min_lr has no effect here: it needs schedule.name: cosine or linear"},
        {"schedule: {name: inverse_sqrt, period: 5 updates}\n", "schedule.period has no effect here"},
        {"schedule: {warmup_init_lr: 1e-7}\n", "it needs schedule.warmup above 0"},
        {"train: {loss_scale: 128}\n",
         "train.loss_scale has no effect here: it needs train.dtype: fp16, and train.dtype is fp32"},
        {"train: {seed: 1, seeds: [1, 2]}\n",
         "train.seed has no effect here: it needs no train.seeds, and train.seeds is [1, 2]"},
        {"train: {init_from: runs/a}\nmodel: {init: gpt2}\n",
         "model.init has no effect here: it needs no train.init_from"},
        {"data: {train: a.txt, blank_lines: 3}\n",
         "data.blank_lines has no effect here: it needs data.documents: blank_line, and data.documents is file"},
        {"model: {bias: false, key_bias: true}\n",
         "model.key_bias has no effect here: it needs biases of queries and values (model.bias or model.qkv_bias)"},
        {"model: {qkv_bias: off, key_bias: true}\n", "model.key_bias has no effect here"},
        {"model: {norm: rmsnorm, norm_bias: on}\n",
         "model.norm_bias has no effect here: it needs model.norm: layernorm, and model.norm is rmsnorm"},
        {"model: {norm_weights: false, norm_bias: on}\n", "it needs model.norm_weights: true"},
        {"model: {norm: rmsnorm, bias: false, qkv_bias: on, out_bias: off, ffn_bias: off}\n",
         "model.bias has no effect here: it needs a part that follows it"},
        {"model: {adaptive_cutoffs: [100], head_bias: true}\n", "it needs no model.adaptive_cutoffs"},
        {"model: {adaptive_cutoffs: [100], embedding_dim: 64}\n", "it needs no model.adaptive_cutoffs"},
        {"data: {train: a.txt}\ntokenizer: {lowercase: true}\n",
         "tokenizer.lowercase has no effect here: it needs tokenizer.kind: wordpiece, and tokenizer.kind is bpe"},
        {"tokenizer: {kind: word}\n", "tokenizer.kind has no effect here: it needs data.train"},
        {"data: {train: a.txt}\ntokenizer: {kind: sentencepiece, file: a.model, sentencepiece_model: bpe}\n",
         "tokenizer.sentencepiece_model has no effect here: it needs no tokenizer.file, and tokenizer.file is a.model; remove it"},
        {"data: {train: a.txt}\ntokenizer: {file: dict.txt, vocab_size: 300}\n",
         "tokenizer.vocab_size has no effect here: it needs no tokenizer.file"},
        {"data: {train: a.txt}\neval: {lengths: [64]}\n", "eval.lengths has no effect here: it needs data.valid"},
        {"data: {train: a.txt}\ncheckpoint: {keep_best: true}\n",
         "checkpoint.keep_best has no effect here: it needs data.valid"},
        {"data: {valid: a.txt}\n", "data.valid has no effect here: it needs data.train"},
        {"position: {method: rotary, slopes: geometric}\n",
         "position.slopes has no effect here: it needs position.method: alibi, and position.method is rotary (its options: base)"},
        {"position: {method: none, base: 100}\n", "(its options: none)"},
    };
    for (const auto& [yaml, message] : cases) EXPECT_THAT(error_of(yaml), HasSubstr(message)) << yaml;
}

TEST(Load, ContradictionsAreErrors) {
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"model:\n  dim: 100\n", "x.yaml:2: model.dim: model.dim (100) is not a multiple of model.heads (8)"},
        {"data: {train: a.txt}\ntokenizer: {vocab_size: 256}\n", "x.yaml:2: tokenizer.vocab_size: at least 257"},
        {"model:\n  kv_heads: 3\n",
         "x.yaml:2: model.kv_heads: model.heads (8) is not a multiple of model.kv_heads (3)"},
        {"model: {kv_heads: 16}\n", "model.heads (8) is not a multiple of model.kv_heads (16)"},
        {"schedule: {warmup: 700 updates}\n", "700 updates of warm-up is more than train.stop (600 updates)"},
        {"schedule: {warmup: 1 min}\n", "a schedule is a function of the update"},
        {"schedule: {period: 1 min}\n", "a schedule is a function of the update"},
        {"schedule: {min_lr: 0.1}\n", "schedule.min_lr is above the peak"},
        {"schedule: {warmup: 5 updates, warmup_init_lr: 0.1}\n", "schedule.warmup_init_lr is above the peak"},
        {"schedule: {warmup: 50 updates, period: 40 updates}\n", "ends before the warm-up"},
        {"train: {stop: 20 min}\n", "set schedule.period"},
        {"train: {seeds: [3]}\n", "write train.seed: 3"},
        {"eval: {lengths: [64, 512], max_batch_tokens: 256}\n", "fewer than the longest window of 512"},
    };
    for (const auto& [yaml, message] : cases) EXPECT_THAT(error_of(yaml), HasSubstr(message)) << yaml;
    EXPECT_EQ(error_of("model: {dim: 100, head_dim: 16, kv_heads: 2}\n"), "no error");
    EXPECT_EQ(error_of("train: {stop: 20 min}\nschedule: {name: constant}\n"), "no error");
    EXPECT_EQ(error_of("train: {stop: 20 min}\nschedule: {period: 600 updates}\n"), "no error");
}

TEST(Load, OverridesHaveTheSameChecks) {
    EXPECT_THAT(override_error({"train.lenght=128"}),
                HasSubstr("override 'train.lenght=128': unknown key 'train.lenght', did you mean 'train.length'?"));
    EXPECT_THAT(override_error({"train.length=many"}),
                HasSubstr("override 'train.length=many': train.length: expected an integer, got 'many'"));
    EXPECT_THAT(override_error({"train.length"}), HasSubstr("expected section.key=value"));
    EXPECT_THAT(override_error({"length=64"}), HasSubstr("'length' is not of the form section.key"));
    EXPECT_THAT(override_error({"include=a.yaml"}), HasSubstr("not of the form section.key"));
    EXPECT_THAT(override_error({"optim.momentum=0.5"}), HasSubstr("optim.momentum has no effect here"));
    EXPECT_THAT(override_error({"eval.lengths=[64"}), HasSubstr("not a valid list"));
    const Config config =
        load_config({{},
                     {"train.stop=3 epochs", "eval.lengths=64, 128", "data.train=[\"a,b.txt\"]", "data.valid=v.txt",
                      "data.store=x=y", "optim.lr=5e-4", "position.method=t5", "position.buckets=8"}},
                    test_context());
    EXPECT_EQ(config.train.stop, (Duration{3, Duration::Unit::epochs}));
    EXPECT_EQ(config.eval.lengths, (std::vector<std::int64_t>{64, 128}));
    EXPECT_EQ(config.data.train, (std::vector<std::string>{"a,b.txt"}));
    EXPECT_EQ(config.data.store, "x=y");
    EXPECT_EQ(config.optim.lr, 5e-4);
    EXPECT_EQ(option_int(config.position.options, "buckets"), 8);
}

TEST_F(Files, LaterSettingsWin) {
    write("sub/deep.yaml", "train: {length: 8, batch: 8, accumulate: 8, seed: 8}\n");
    write("base.yaml", "include: sub/deep.yaml\ntrain: {batch: 7, accumulate: 7, seed: 7}\n");
    const auto main = write("main.yaml", "train: {accumulate: 6, seed: 6}\ninclude: [base.yaml]\n");
    const auto last = write("last.yaml", "train: {seed: 5}\n");
    const Config config = load_config({{main, last}, {"train.max_bad_updates=4"}}, test_context());
    EXPECT_EQ(config.train.length, 8);
    EXPECT_EQ(config.train.batch, 7);
    EXPECT_EQ(config.train.accumulate, 6);
    EXPECT_EQ(config.train.seed, 5U);
    EXPECT_EQ(config.train.max_bad_updates, 4);
}

TEST_F(Files, AnIncludeClimbsOutOfWhatALinkLeadsTo) {
    for (const char* folder : {"there/deep", "here"}) fs::create_directories(folder_ / folder);
    write("there/base.yaml", "train: {batch: 7}\n");
    write("there/deep/other.yaml", "train: {seed: 1}\n");
    write("here/base.yaml", "train: {batch: 9}\n");
    fs::create_directory_symlink("../there/deep", folder_ / "here/link");
    const auto main = write("here/main.yaml", "include: link/../base.yaml\n");
    EXPECT_EQ(load_config({{main}, {}}, test_context()).train.batch, 7);
}

TEST_F(Files, NullTakesBackWhatAnIncludedFileSet) {
    const auto base = write("base.yaml", "optim: {beta1: 0.8}\nposition: {slopes: geometric}\n");
    const auto sgd =
        write("sgd.yaml", "include: base.yaml\noptim: {name: sgd, beta1: null}\nposition: {method: none}\n");
    const Config config = load_config({{sgd}, {"position.slopes="}}, test_context());
    EXPECT_EQ(config.optim.beta1, OptimConfig{}.beta1);
    EXPECT_TRUE(config.position.options.empty());
    EXPECT_THAT(error_of_files({sgd}), HasSubstr("base.yaml:2: position.slopes has no effect here"));
    EXPECT_EQ(load_config({{base}, {"optim.beta1=null"}}, test_context()).optim.beta1, OptimConfig{}.beta1);
}

TEST_F(Files, EachKeyKnowsWhereItWasSetLast) {
    const auto deep = write("sub/deep.yaml", "data: {store: a, train: a.txt}\ntrain: {length: 8}\n");
    const auto base = write("base.yaml", "include: sub/deep.yaml\ntrain: {batch: 7}\n");
    const auto last = write("last.yaml", "train:\n  seed: 5\n");
    const auto loaded = load_with_origins(
        {{base, last}, {"data.store=b", "train.length=null", "position.slopes=geometric"}}, test_context());
    const auto& origins = loaded.origins;
    EXPECT_EQ(loaded.config,
              load_config({{base, last}, {"data.store=b", "train.length=null", "position.slopes=geometric"}},
                          test_context()));
    EXPECT_EQ(origins.at("data.train").place, deep + ":1");
    EXPECT_EQ(origins.at("train.seed").place, last + ":2");
    EXPECT_EQ(origins.at("data.store").place, "override 'data.store=b'");
    EXPECT_EQ(origins.at("position.slopes").layer, origins.at("data.store").layer) << "all overrides are one layer";
    EXPECT_LT(origins.at("data.train").layer, origins.at("train.batch").layer)
        << "an included file counts less than the one that includes it";
    EXPECT_LT(origins.at("train.batch").layer, origins.at("train.seed").layer);
    EXPECT_LT(origins.at("train.seed").layer, origins.at("data.store").layer);
    EXPECT_FALSE(origins.contains("train.length")) << "taken back";
    EXPECT_FALSE(origins.contains("optim.lr"));
}

TEST_F(Files, WhatLongbowWroteIsNoMistakeOfTheUsers) {
    const auto complete =
        config_yaml(parse_config("position: {slopes: geometric}\n", "x", test_context()), test_context());
    const auto marked = write("copied.yaml", std::string(kOwnConfigMark) + "\n" + complete);
    const auto plain = write("plain.yaml", complete);
    const std::vector<std::string> overrides = {"optim.name=sgd", "position.method=rotary", "train.init_from=run"};
    const Config config = load_config({{marked}, overrides}, test_context());
    EXPECT_EQ(config.optim.name, "sgd");
    EXPECT_EQ(config.optim.beta1, OptimConfig{}.beta1);
    EXPECT_FALSE(config.position.options.contains("slopes"));
    EXPECT_THROW((void)load_config({{plain}, overrides}, test_context()), ConfigError);
    // A key that is dropped takes the keys that depend on it with it.
    const auto text = write(
        "text.yaml", std::string(kOwnConfigMark) + "\n" +
                         config_yaml(parse_config("data: {store: s, train: a.txt, valid: b.txt}", "x", test_context()),
                                     test_context()));
    EXPECT_TRUE(load_config({{text}, {"data.mixture=a=1,b=2"}}, test_context()).data.train.empty());
    // What the user sets beside it still counts as the user's.
    EXPECT_THROW((void)load_config({{marked}, {"optim.name=sgd", "optim.beta1=0.5"}}, test_context()), ConfigError);
    EXPECT_THROW((void)load_config({{marked}, {"position.method=rotary", "position.slopes=authors"}}, test_context()),
                 ConfigError);
    // The config.yaml of a run from before files were marked.
    fs::create_directories(folder_ / "sub" / "checkpoints");
    const auto in_run = write("sub/config.yaml", complete);
    EXPECT_EQ(load_config({{in_run}, overrides}, test_context()), config);
    EXPECT_FALSE(is_own_config(write("config.yaml", complete), complete));
    // The configuration of a checkpoint, which lies below all files.
    LoadRequest request{{write("lr.yaml", "optim: {lr: 0.5}\n")}, overrides};
    request.base = config_json(
        parse_config("optim: {lr: 0.25, beta2: 0.5}\ntrain: {length: 32}\n", "x", test_context()), test_context());
    request.base_name = "model.safetensors";
    const auto forked = load_with_origins(request, test_context());
    EXPECT_EQ(forked.config.optim.lr, 0.5);
    EXPECT_EQ(forked.config.train.length, 32);
    EXPECT_TRUE(forked.origins.at("train.length").own);
    EXPECT_FALSE(forked.origins.at("optim.lr").own);
}

TEST_F(Files, IncludesThatCannotBeFollowed) {
    const auto a = write("a.yaml", "include: b.yaml\n");
    write("b.yaml", "\ninclude: [sub/../a.yaml]\n");
    EXPECT_THAT(error_of_files({a}), HasSubstr("includes itself: "));
    EXPECT_THAT(error_of_files({write("c.yaml", "model:\n  layers: 2\ninclude: nowhere.yaml\n")}),
                HasSubstr("c.yaml:3: include: there is no file "));
    EXPECT_THAT(error_of_files({write("d.yaml", "include: {a: b}\n")}),
                HasSubstr("d.yaml:1: include: expected a file or a list of files"));
    EXPECT_THAT(error_of_files({(folder_ / "no.yaml").string()}), HasSubstr("there is no such config file"));
    EXPECT_THAT(error_of_files({folder_.string()}), HasSubstr("a folder, not a config file"));
    // A tree of includes that doubles at every level must end with an error instead of after 2^40 files.
    for (int i = 0; i < 40; ++i) {
        const auto next = "n" + std::to_string(i + 1) + ".yaml";
        write("n" + std::to_string(i) + ".yaml", "include: [" + next + ", " + next + "]\n");
    }
    write("n40.yaml", "");
    EXPECT_THAT(error_of_files({(folder_ / "n0.yaml").string()}), HasSubstr("more than 1000 included files"));
}

TEST_F(Files, ErrorsNameTheFileInWhichTheKeyStands) {
    write("base.yaml", "model:\n  dim: 100\n");
    EXPECT_THAT(error_of_files({write("a.yaml", "include: base.yaml\n")}),
                HasSubstr("base.yaml:2: model.dim: model.dim (100)"));
}

}  // namespace
}  // namespace longbow
