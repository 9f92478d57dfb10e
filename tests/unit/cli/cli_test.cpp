// Tests the command line as a whole, with verbs of the test's own: flags, exit codes, and one line for each error.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>
#include <new>
#include <tuple>

#include "cli/verbs.h"
#include "longbow/cli/cli.h"
#include "longbow/core/error.h"

namespace longbow {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

struct Seen {
    ConfigArguments config;
    CommonOptions common;
    std::string fail;
    std::int64_t length = 0;
};
Seen* seen = nullptr;

void add_trial(CLI::App& app, VerbContext& context) {
    auto flags = std::make_shared<Seen>();
    auto* verb = add_verb(app, context, "trial", "A verb for tests", "longbow trial -c a.yaml train.length=128");
    add_config_arguments(verb, flags->config);
    verb->add_option("--fail", flags->fail);
    verb->add_option("--length", flags->length);
    run_with(verb, context, [flags](const CommonOptions& common) {
        flags->common = common;
        if (seen != nullptr) *seen = *flags;
        if (flags->fail == "config") throw ConfigError("first line\n  second line");
        if (flags->fail == "interrupted") throw InterruptedError("SIGINT; state saved");
        if (flags->fail == "memory") throw std::bad_alloc();
        if (flags->fail == "files")
            throw std::filesystem::filesystem_error("cannot rename", "a",
                                                    std::make_error_code(std::errc::no_space_on_device));
        if (flags->fail == "torch") TORCH_CHECK(false, "shapes do not match");
        return 0;
    });
}
LONGBOW_REGISTER_VERB(1000, add_trial);

// A group of verbs, one of which takes a positional argument that may have the name of a verb.
void add_nest(CLI::App& app, VerbContext& context) {
    auto* group = add_verb_group(app, "nest", "A group for tests", "longbow nest name trial");
    auto name = std::make_shared<std::string>();
    auto* verb = add_verb(*group, context, "name", "Prints its argument", "longbow nest name trial");
    verb->add_option("NAME", *name);
    run_with(verb, context, [name](const CommonOptions&) {
        std::cout << *name << "\n";
        return 0;
    });
}
static const bool nest_registered = register_verb(1001, add_nest);

struct Outcome {
    int code = 0;
    std::string out, err;
};

Outcome call(std::vector<std::string> arguments, Seen* into = nullptr) {
    seen = into;
    arguments.insert(arguments.begin(), "longbow");
    std::vector<char*> argv;
    for (auto& argument : arguments) argv.push_back(argument.data());
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    Outcome outcome;
    outcome.code = run_cli(static_cast<int>(argv.size()), argv.data());
    outcome.out = testing::internal::GetCapturedStdout();
    outcome.err = testing::internal::GetCapturedStderr();
    return outcome;
}

TEST(Cli, ReadsRepeatedConfigFilesAndOverrides) {
    Seen result;
    const auto outcome = call({"trial", "-c", "a.yaml", "train.length=128", "-c", "b.yaml", "optim.lr=1e-3",
                               "--threads", "1", "--device", "cpu"},
                              &result);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(result.config.files, (std::vector<std::string>{"a.yaml", "b.yaml"}));
    EXPECT_EQ(result.config.overrides, (std::vector<std::string>{"train.length=128", "optim.lr=1e-3"}));
    EXPECT_EQ(result.common.threads, 1);
    EXPECT_EQ(result.common.device, "cpu");
}

TEST(Cli, ArgumentsMayBeCalledLikeVerbs) {
    for (const char* name : {"trial", "nest", "name"}) {
        const auto outcome = call({"nest", "name", name, "--device", "cpu"});
        EXPECT_EQ(outcome.code, 0) << outcome.err;
        EXPECT_EQ(outcome.out, std::string(name) + "\n");
    }
}

TEST(Cli, HelpGoesToStdoutWithAnExample) {
    const auto outcome = call({"trial", "--help"});
    EXPECT_EQ(outcome.code, 0);
    EXPECT_THAT(outcome.out, HasSubstr("Example:"));
    EXPECT_THAT(outcome.out, HasSubstr("--threads"));
    EXPECT_TRUE(outcome.err.empty());
    EXPECT_THAT(call({"--version"}).out, HasSubstr("longbow "));
    EXPECT_THAT(call({"trial", "--version"}).out, HasSubstr("longbow "));
}

TEST(Cli, HelpShowsOverridesAsTheyAreWritten) {
    EXPECT_THAT(call({"trial", "--help"}).out, HasSubstr("[key.sub=value...]"));
    EXPECT_THAT(call({"inspect", "position", "--help"}).out, HasSubstr("METHOD [key=value...]"));
}

void expect_names_that_cli11_takes(const CLI::App& app) {
    for (const auto* option : app.get_options()) {
        const auto name = option->get_name(true);
        EXPECT_EQ(name.find_first_of("=:{"), std::string::npos) << app.get_name() << ": " << name;
    }
    for (const auto* verb : app.get_subcommands([](const CLI::App*) { return true; }))
        expect_names_that_cli11_takes(*verb);
}

// From version 2.4 on CLI11 throws at other names before any verb runs; older versions accept them.
TEST(Cli, ArgumentsHaveNamesThatEveryCli11Takes) {
    CLI::App app;
    VerbContext context;
    for (const auto& entry : registered_verbs()) entry.add(app, context);
    expect_names_that_cli11_takes(app);
}

TEST(Cli, HelpIsACommandToo) {
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{}, {"trial"}, {"nest"}, {"nest", "name"}, {"help"}}) {
        auto command = words, flag = words;
        command.insert(command.begin(), "help");
        flag.emplace_back("--help");
        const auto outcome = call(command);
        EXPECT_EQ(outcome.code, 0) << outcome.err;
        EXPECT_EQ(outcome.out, call(flag).out);
    }
}

// Visits each flag of each verb, with the words that lead to it.
void for_each_flag(CLI::App& app, const std::function<void(const std::vector<std::string>&)>& visit,
                   std::vector<std::string> path = {}) {
    for (auto* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
        auto words = path;
        words.push_back(verb->get_name());
        for_each_flag(*verb, visit, words);
        for (const auto* option : verb->get_options()) {
            if (option->get_lnames().empty() || option->get_items_expected_max() == 0) continue;
            auto flag = words;
            flag.push_back("--" + option->get_lnames().front());
            visit(flag);
        }
    }
}

std::string parse_error(std::vector<std::string> words) {
    CLI::App app{"", "longbow"};
    VerbContext context;
    for (const auto& entry : registered_verbs()) entry.add(app, context);
    std::reverse(words.begin(), words.end());  // CLI11 takes arguments in reverse order
    try {
        app.parse(words);
    } catch (const CLI::ParseError& error) {
        return error.what();
    }
    return {};
}

TEST(Cli, NoFlagAnswersInHundredsOfDigits) {
    CLI::App app{"", "longbow"};
    VerbContext context;
    for (const auto& entry : registered_verbs()) entry.add(app, context);
    int flags = 0;
    for_each_flag(app, [&](const std::vector<std::string>& flag) {
        ++flags;
        for (const auto* value : {"64k", "-99999", "1e400", "0x40"}) {
            auto words = flag;
            words.emplace_back(value);
            EXPECT_LT(parse_error(words).size(), 200U) << testing::PrintToString(words) << ": " << parse_error(words);
        }
    });
    EXPECT_GT(flags, 60);
}

TEST(Cli, WholeNumbersSayWhatCouldBeMeant) {
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"64k", "--lengths: '64k' is not a whole number; write it in digits: 65536 (or 64000)"},
        {"512,2K", "--lengths: '2K' is not a whole number; write it in digits: 2048 (or 2000)"},
        {"1KiB", "write it in digits: 1024"},
        {"1_000", "write it in digits: 1000"},
        {"64 128", "'64 128' is not a whole number; write it in digits, at least 1"},
        {"1e3", "write it in digits: 1000"},
        {"64.0", "write it in digits: 64"},
        {"1.5", "'1.5' is not a whole number; write it in digits, at least 1"},
        {"many", "'many' is not a whole number; write it in digits, at least 1"},
        {"position.factor=4", "'position.factor=4' is not a whole number; write settings before the flags"},
        {"010", "'010' is not a whole number without leading zeros"},
        {"0x40", "'0x40' is not a whole number"},
        {"0", "'0' is out of range, it must be at least 1"},
        {"-64", "'-64' is out of range, it must be at least 1"},
        {"99999999999999999999", "is out of range, it must be at most 9223372036854775807"},
        {std::string(300, '9'), "'9999999999999999999999999999999999999...' is out of range"},
    };
    for (const auto& [value, message] : cases) {
        EXPECT_THAT(parse_error({"eval", "runs/a", "--lengths", value}), HasSubstr(message)) << value;
    }
    EXPECT_EQ(parse_error({"eval", "runs/a", "--lengths", "512, 1024"}), "");
    EXPECT_THAT(parse_error({"trial", "--threads", "5000"}),
                HasSubstr("'5000' is out of range, it must be from 1 to 4096"));
}

TEST(Cli, UsageMistakesNameTheNearest) {
    const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
        {{}, "a command is missing"},
        {{"prbe"}, "unknown command 'prbe', did you mean 'probe'?"},
        {{"xyzzyxyzzy"}, "there are: "},
        {{"trial", "--lenght", "3"}, "unknown flag '--lenght', did you mean '--length'?"},
        {{"trial", "-c", "a.yaml", "--lenght=3"}, "did you mean '--length'?"},
        {{"trial"}, "--config is required"},
        {{"trial", "-c", "a.yaml", "b.yaml"}, "'b.yaml' is not an override"},
        {{"trial", "-c", "a.yaml", "--length", "many"},
         "longbow trial: --length: 'many' is not a number that it can take"},
        {{"prbe", "--help"}, "unknown command 'prbe', did you mean 'probe'?"},
        {{"nest", "nmae", "--help"}, "unknown command 'nmae', did you mean 'name'?"},
        {{"help", "prbe"}, "longbow help: unknown command 'prbe', did you mean 'probe'?"},
        {{"help", "nest", "nmae"}, "longbow help: unknown command 'nmae', did you mean 'name'?"},
        {{"help", "trial", "more"}, "longbow help: trial has no commands of its own, such as 'more'"},
        {{"trial", "-c", "a.yaml", "--threads", "0"}, "--threads"},
        {{"trial", "-c", "a.yaml", "--log-level", "loud"}, "loud"},
        {{"trial", "-c", "a.yaml", "--device", "tpu"}, "expected auto, cpu, cuda or cuda:N"},
        {{"trial", "-c", "a.yaml", "--device", "cuda:x"}, "expected auto, cpu, cuda or cuda:N"},
        {{"trial", "-c", "a.yaml", "--device", "cuda:999"}, "CUDA device"},
        {{"export", "ggfu"}, "longbow export: unknown command 'ggfu', did you mean 'gguf'?"},
        {{"export", "gguf", "runs/a"}, "longbow export gguf: --out is required"},
        {{"export", "gguf", "runs/a", "--out", "a.gguf", "--dtype", "q4_0"},
         "--dtype: q4_0 not in {fp32,fp16,bf16,q8_0}"},
        {{"export", "gguf", "runs/a", "--out", "a.gguf", "--architecture", "opt"}, "--architecture: opt not in {mpt,"},
    };
    for (const auto& [arguments, message] : cases) {
        const auto outcome = call(arguments);
        EXPECT_EQ(outcome.code, 2) << outcome.err;
        EXPECT_THAT(outcome.err, HasSubstr("longbow: error: "));
        EXPECT_THAT(outcome.err, HasSubstr(message));
        EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
        EXPECT_TRUE(outcome.out.empty()) << outcome.out;
    }
}

TEST(Cli, NoFlagTakesAnEmptyValueOrAnotherFlag) {
    const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
        {{"train", "--from", "", "--run-dir", "new"},
         "longbow train: --from: an empty value: expected RUN[@last|@best|@step=N]"},
        {{"train", "-c", "a.yaml", "--run-dir="}, "--run-dir: an empty value: expected DIR"},
        {{"train", "-c", "a.yaml", "--resume", "--run-dir", "new"},
         "--resume: no value before the flag --run-dir: expected auto|never|CHECKPOINT"},
        {{"train", "-c", "--run-dir", "new"}, "--config: no value before the flag --run-dir"},
        {{"prepare", "--tokenizer", "", "--train", "a.txt"}, "--tokenizer: an empty value: expected KIND[:FILE]"},
        {{"prepare", "--train", "", "--out", "store"}, "--train: an empty value"},
        {{"eval", "runs/a", "--data", "store", "--lengths", "--stride=4"},
         "--lengths: no value before the flag --stride=4"},
        {{"eval", "", "--data", "store", "--lengths", "4"}, "CHECKPOINT: an empty value"},
    };
    for (const auto& [arguments, message] : cases) {
        const auto outcome = call(arguments);
        EXPECT_EQ(outcome.code, 2) << outcome.err;
        EXPECT_THAT(outcome.err, HasSubstr(message));
    }
    CLI::App app{"", "longbow"};
    VerbContext context;
    for (const auto& entry : registered_verbs()) entry.add(app, context);
    int flags = 0;
    for_each_flag(app, [&](const std::vector<std::string>& flag) {
        if (flag.back() == "--prompt") return;
        ++flags;
        auto words = flag;
        words.back() += "=";
        words.emplace_back("a.b=c");  // a further argument, not the value of the flag
        EXPECT_THAT(call(words).err, AnyOf(HasSubstr("an empty value"), HasSubstr("required")))
            << testing::PrintToString(words);
        words = flag;
        words.insert(words.end(), {"--threads", "1"});
        EXPECT_THAT(call(words).err, AnyOf(HasSubstr("no value before the flag --threads"), HasSubstr("required")))
            << testing::PrintToString(words);
    });
    EXPECT_GT(flags, 60);
    // Any text is a valid prompt, so the error must be about the checkpoint.
    for (const char* prompt : {"", "--seed"})
        EXPECT_EQ(call({"generate", "no-such-run", "--prompt", prompt}).code, 5) << prompt;
}

TEST(Cli, ListsHaveNoEmptyPlaces) {
    for (const char* list : {"64,,32", "64,", ",64", "64, ,32", ","}) {
        EXPECT_THAT(parse_error({"eval", "runs/a", "--lengths", list}),
                    HasSubstr("--lengths: '" + std::string(list) + "' has an empty element"));
        EXPECT_THAT(parse_error({"compare", "a", "b", "--seeds", list}),
                    HasSubstr("--seeds: '" + std::string(list) + "' has an empty element"));
    }
    EXPECT_THAT(parse_error({"bench", "attention", "--dtypes", "fp32,,bf16"}), HasSubstr("has an empty element"));
    for (const std::vector<std::string>& list : {std::vector<std::string>{"64,32"}, {"64", "32"}, {"64, 32"}}) {
        std::vector<std::string> words{"eval", "runs/a", "--lengths"};
        words.insert(words.end(), list.begin(), list.end());
        EXPECT_EQ(parse_error(words), "");
    }
}

TEST(Cli, EveryErrorIsOneLineWithItsCode) {
    const std::vector<std::tuple<std::string, int, std::string>> cases = {
        {"config", 3, "longbow: error: first line second line\n"},
        {"interrupted", 75, "longbow: interrupted: SIGINT; state saved\n"},
        {"memory", 1, "longbow: error: out of memory\n"},
        {"files", 1, "No space left on device"},
        {"torch", 1, "longbow: error: LibTorch: shapes do not match"},
    };
    for (const auto& [fail, code, message] : cases) {
        const auto outcome = call({"trial", "-c", "a.yaml", "--fail", fail, "--device", "cpu"});
        EXPECT_EQ(outcome.code, code) << fail;
        EXPECT_THAT(outcome.err, HasSubstr(message));
        EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    }
}

}  // namespace
}  // namespace longbow
