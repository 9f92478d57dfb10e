// Tests what a process learns of its rank from the variables of torchrun and srun.
#include "longbow/dist/launch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "longbow/core/error.h"

namespace longbow {
namespace {

using testing::HasSubstr;

Launch launch(const std::map<std::string, std::string>& variables) {
    return launch_from([&](const char* name) -> const char* {
        const auto found = variables.find(name);
        return found == variables.end() ? nullptr : found->second.c_str();
    });
}

TEST(Launch, NoLauncherIsOneProcessAlone) {
    EXPECT_TRUE(launch({}).alone());
    EXPECT_EQ(launch({}).world, 1);
}

TEST(Launch, TorchrunsVariables) {
    const auto found = launch({{"RANK", "5"},
                               {"WORLD_SIZE", "8"},
                               {"LOCAL_RANK", "1"},
                               {"LOCAL_WORLD_SIZE", "4"},
                               {"MASTER_ADDR", "host0"},
                               {"MASTER_PORT", "29500"},
                               {"TORCHELASTIC_USE_AGENT_STORE", "True"},
                               {"TORCHELASTIC_RESTART_COUNT", "2"}});
    EXPECT_EQ(found.source, "torchrun");
    EXPECT_EQ(found.rank, 5);
    EXPECT_EQ(found.world, 8);
    EXPECT_EQ(found.local_rank, 1);
    EXPECT_EQ(found.local_world, 4);
    EXPECT_EQ(found.address, "host0");
    EXPECT_EQ(found.port, 29500);
    EXPECT_TRUE(found.launcher_serves_store);
    EXPECT_EQ(found.attempt, "2");
}

TEST(Launch, SrunsVariables) {
    const std::map<std::string, std::string> variables{{"SLURM_STEP_NUM_TASKS", "4"},
                                                       {"SLURM_PROCID", "3"},
                                                       {"SLURM_LOCALID", "1"},
                                                       {"SLURM_STEP_NUM_NODES", "2"},
                                                       {"SLURM_STEP_NODELIST", "gpu[07-08]"},
                                                       {"SLURM_JOB_ID", "123"}};
    const auto found = launch(variables);
    EXPECT_EQ(found.source, "Slurm");
    EXPECT_EQ(found.rank, 3);
    EXPECT_EQ(found.world, 4);
    EXPECT_EQ(found.local_rank, 1);
    EXPECT_EQ(found.local_world, 2);
    EXPECT_EQ(found.address, "gpu07");
    EXPECT_GE(found.port, 61000);
    EXPECT_FALSE(found.launcher_serves_store);
    auto other = variables;
    other["SLURM_JOB_ID"] = "124";
    EXPECT_NE(launch(other).port, found.port) << "two jobs on a host";
    other["MASTER_PORT"] = "5000";
    other["MASTER_ADDR"] = "10.0.0.1";
    EXPECT_EQ(launch(other).port, 5000);
    EXPECT_EQ(launch(other).address, "10.0.0.1");
}

TEST(Launch, ABatchScriptThatSrunDidNotStartIsAlone) {
    // sbatch gives its script these variables but no step.
    EXPECT_TRUE(
        launch({{"SLURM_NTASKS", "4"}, {"SLURM_PROCID", "0"}, {"SLURM_LOCALID", "0"}, {"SLURM_JOB_ID", "9"}}).alone());
}

TEST(Launch, WhatIsMissingOrNoNumberIsNamed) {
    const auto error_of = [](const std::map<std::string, std::string>& variables) -> std::string {
        try {
            launch(variables);
        } catch (const UsageError& error) {
            return error.what();
        }
        return "";
    };
    EXPECT_THAT(error_of({{"RANK", "0"}, {"WORLD_SIZE", "2"}}), HasSubstr("MASTER_ADDR"));
    EXPECT_THAT(error_of({{"RANK", "2"}, {"WORLD_SIZE", "2"}}), HasSubstr("RANK=2"));
    EXPECT_THAT(error_of({{"RANK", "one"}, {"WORLD_SIZE", "2"}}), HasSubstr("RANK=one"));
    EXPECT_THAT(error_of({{"RANK", "1"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "a"}, {"MASTER_PORT", "70000"}}),
                HasSubstr("MASTER_PORT=70000"));
}

TEST(Launch, TheFirstHostOfSlurmsLists) {
    EXPECT_EQ(first_host("node1"), "node1");
    EXPECT_EQ(first_host("node1,node2"), "node1");
    EXPECT_EQ(first_host("gpu[03-07,9],cpu1"), "gpu03");
    EXPECT_EQ(first_host("gpu[9]"), "gpu9");
    EXPECT_EQ(first_host("rack2-[001,003]-ib,x"), "rack2-001-ib");
}

}  // namespace
}  // namespace longbow
