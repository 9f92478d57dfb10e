// The command line as a whole, with a verb of the test's own: flags, exit codes, one line an error.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <memory>
#include <new>
#include <tuple>

#include "../../../src/cli/verbs.h"
#include "longbow/cli/cli.h"
#include "longbow/core/error.h"

namespace longbow {
namespace {

using ::testing::HasSubstr;

struct Seen {
    ConfigArguments config;
    CommonOptions common;
    std::string fail;
    std::int64_t length = 0;
};
Seen* seen = nullptr;

void add_probe(CLI::App& app, VerbContext& context) {
    auto flags = std::make_shared<Seen>();
    auto* verb = add_verb(app, context, "probe", "A verb for tests", "longbow probe -c a.yaml train.length=128");
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
            throw std::filesystem::filesystem_error("cannot rename", "a", std::make_error_code(std::errc::no_space_on_device));
        if (flags->fail == "torch") TORCH_CHECK(false, "shapes do not match");
        return 0;
    });
}
LONGBOW_REGISTER_VERB(1000, add_probe);

// A group whose verb takes a positional that may be called like a verb.
void add_nest(CLI::App& app, VerbContext& context) {
    auto* group = add_verb_group(app, "nest", "A group for tests", "longbow nest name probe");
    auto name = std::make_shared<std::string>();
    auto* verb = add_verb(*group, context, "name", "Prints its argument", "longbow nest name probe");
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
    const auto outcome =
        call({"probe", "-c", "a.yaml", "train.length=128", "-c", "b.yaml", "optim.lr=1e-3", "--threads", "1", "--device", "cpu"}, &result);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(result.config.files, (std::vector<std::string>{"a.yaml", "b.yaml"}));
    EXPECT_EQ(result.config.overrides, (std::vector<std::string>{"train.length=128", "optim.lr=1e-3"}));
    EXPECT_EQ(result.common.threads, 1);
    EXPECT_EQ(result.common.device, "cpu");
}

TEST(Cli, ArgumentsMayBeCalledLikeVerbs) {
    for (const char* name : {"probe", "nest", "name"}) {
        const auto outcome = call({"nest", "name", name, "--device", "cpu"});
        EXPECT_EQ(outcome.code, 0) << outcome.err;
        EXPECT_EQ(outcome.out, std::string(name) + "\n");
    }
}

TEST(Cli, HelpGoesToStdoutWithAnExample) {
    const auto outcome = call({"probe", "--help"});
    EXPECT_EQ(outcome.code, 0);
    EXPECT_THAT(outcome.out, HasSubstr("Example:"));
    EXPECT_THAT(outcome.out, HasSubstr("--threads"));
    EXPECT_TRUE(outcome.err.empty());
    EXPECT_THAT(call({"--version"}).out, HasSubstr("longbow "));
    EXPECT_THAT(call({"probe", "--version"}).out, HasSubstr("longbow "));
}

TEST(Cli, HelpShowsOverridesAsTheyAreWritten) {
    EXPECT_THAT(call({"probe", "--help"}).out, HasSubstr("[key.sub=value...]"));
    EXPECT_THAT(call({"inspect", "position", "--help"}).out, HasSubstr("METHOD [key=value...]"));
}

void expect_names_that_cli11_takes(const CLI::App& app) {
    for (const auto* option : app.get_options()) {
        const auto name = option->get_name(true);
        EXPECT_EQ(name.find_first_of("=:{"), std::string::npos) << app.get_name() << ": " << name;
    }
    for (const auto* verb : app.get_subcommands([](const CLI::App*) { return true; })) expect_names_that_cli11_takes(*verb);
}

// CLI11 2.4 throws at others before any verb runs; older ones take them.
TEST(Cli, ArgumentsHaveNamesThatEveryCli11Takes) {
    CLI::App app;
    VerbContext context;
    for (const auto& entry : registered_verbs()) entry.add(app, context);
    expect_names_that_cli11_takes(app);
}

TEST(Cli, UsageMistakesNameTheNearest) {
    const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
        {{}, "a command is missing"},
        {{"prbe"}, "unknown command 'prbe', did you mean 'probe'?"},
        {{"xyzzyxyzzy"}, "there are: "},
        {{"probe", "--lenght", "3"}, "unknown flag '--lenght', did you mean '--length'?"},
        {{"probe", "-c", "a.yaml", "--lenght=3"}, "did you mean '--length'?"},
        {{"probe"}, "--config is required"},
        {{"probe", "-c", "a.yaml", "b.yaml"}, "'b.yaml' is not an override"},
        {{"probe", "-c", "a.yaml", "--length", "many"}, "many"},
        {{"probe", "-c", "a.yaml", "--threads", "0"}, "--threads"},
        {{"probe", "-c", "a.yaml", "--log-level", "loud"}, "loud"},
        {{"probe", "-c", "a.yaml", "--device", "tpu"}, "expected auto, cpu, cuda or cuda:N"},
        {{"probe", "-c", "a.yaml", "--device", "cuda:x"}, "expected auto, cpu, cuda or cuda:N"},
        {{"probe", "-c", "a.yaml", "--device", "cuda:999"}, "CUDA device"},
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

TEST(Cli, EveryErrorIsOneLineWithItsCode) {
    const std::vector<std::tuple<std::string, int, std::string>> cases = {
        {"config", 3, "longbow: error: first line second line\n"},
        {"interrupted", 75, "longbow: interrupted: SIGINT; state saved\n"},
        {"memory", 1, "longbow: error: out of memory\n"},
        {"files", 1, "No space left on device"},
        {"torch", 1, "longbow: error: LibTorch: shapes do not match"},
    };
    for (const auto& [fail, code, message] : cases) {
        const auto outcome = call({"probe", "-c", "a.yaml", "--fail", fail, "--device", "cpu"});
        EXPECT_EQ(outcome.code, code) << fail;
        EXPECT_THAT(outcome.err, HasSubstr(message));
        EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    }
}

}  // namespace
}  // namespace longbow
