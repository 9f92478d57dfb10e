// Tests the plan of a run's memory: how the terms add up, and the paper's model of 1.3 billion parameters.
// tests/integration/test_memory.py compares the plan with real runs.
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>

#include "longbow/config/context.h"
#include "longbow/config/load.h"
#include "longbow/model/device_memory.h"
#include "longbow/model/language_model.h"
#include "train/memory_plan.h"
#include "unit/model/tiny.h"

namespace longbow {
namespace {

double bytes_of(const MemoryPlan& plan, const std::string& name) {
    for (const auto& term : plan.terms) {
        if (term.name == name) return term.bytes;
    }
    return 0;
}

TEST(MemoryPlan, TheTermsMakeTheTotal) {
    const auto config = test::tiny_config();
    const auto plan = plan_memory(config, test::kVocab, {});
    double sum = 0;
    for (const auto& term : plan.terms) sum += term.bytes;
    EXPECT_DOUBLE_EQ(plan.total, sum);
    const double weights = 8.0 * static_cast<double>(make_meta_model(config, test::kVocab)->parameter_count());
    EXPECT_DOUBLE_EQ(bytes_of(plan, "weights"), weights);
    EXPECT_DOUBLE_EQ(bytes_of(plan, "optimizer state"), 2 * weights);
}

TEST(MemoryPlan, RanksShareTheOptimizersState) {
    auto config = test::tiny_config();
    config.train.accumulate = 8;
    const double weights = 8.0 * static_cast<double>(make_meta_model(config, test::kVocab)->parameter_count());
    MemoryRequest request;
    request.ranks = 8;
    const auto whole = plan_memory(config, test::kVocab, request);
    EXPECT_GE(bytes_of(whole, "gradients"), weights) << "buckets are there at every moment";
    EXPECT_DOUBLE_EQ(bytes_of(whole, "optimizer state"), 2 * weights);
    config.dist.shard_optimizer = true;
    const auto sharded = plan_memory(config, test::kVocab, request);
    EXPECT_DOUBLE_EQ(bytes_of(sharded, "optimizer state, this rank's share"), 2 * weights / 8);
    EXPECT_DOUBLE_EQ(sharded.snapshot, weights * (1 + 2.0 / 8));
    EXPECT_LT(sharded.total, whole.total);
}

// One micro-batch for 64 ranks is divided anew.
TEST(MemoryPlan, ManyRanksHaveSmallMicroBatches) {
    auto config = test::tiny_config();
    config.train.batch = 4096;
    MemoryRequest request;
    const double alone = bytes_of(plan_memory(config, test::kVocab, request), "token ids");
    request.ranks = 64;
    EXPECT_DOUBLE_EQ(bytes_of(plan_memory(config, test::kVocab, request), "token ids"), alone / 64);
}

TEST(MemoryPlan, ACheckpointInTheBackgroundIsThereAtEveryMoment) {
    auto config = test::tiny_config();
    config.train.batch = 256;
    config.checkpoint.every = {0, Duration::Unit::updates};
    const auto before = plan_memory(config, test::kVocab, {});
    EXPECT_EQ(bytes_of(before, "copy for the checkpoint being written"), 0);
    config.checkpoint.every = {10, Duration::Unit::updates};
    const auto after = plan_memory(config, test::kVocab, {});
    EXPECT_EQ(after.moment, before.moment);
    EXPECT_DOUBLE_EQ(after.total - before.total, before.snapshot);
    config.attention.backend = "sdpa";
    const MemoryRequest gpu{.device = "cuda"};
    EXPECT_EQ(bytes_of(plan_memory(config, test::kVocab, gpu), "copy for the checkpoint being written"), 0)
        << "it is in host memory";
}

TEST(MemoryPlan, RecomputeLeavesALayersInput) {
    auto config = test::tiny_config();
    config.model.layers = 12;
    config.train.batch = 64;
    const auto plain = plan_memory(config, test::kVocab, {});
    config.train.recompute = Recompute::layer;
    const auto again = plan_memory(config, test::kVocab, {});
    EXPECT_LT(again.total, 0.5 * plain.total);
    EXPECT_GT(bytes_of(again, "layers' inputs"), 0);
    EXPECT_EQ(bytes_of(again, "activations"), 0);
}

Config paper_config(const std::string& name) {
    const auto file = std::filesystem::path(LONGBOW_TEST_DATA) / "../configs/cc100" / (name + ".yaml");
    return load_config({{file.string()}, {}}, registered_config_context());
}

// A plan is made on machines that could not hold the model.
TEST(MemoryPlan, CountsTheLargestModelWithoutItsWeights) {
    count_cpu_memory();
    const auto config = paper_config("alibi-2048");
    const auto before = tensor_bytes("cpu").now;
    reset_peak_memory("cpu");
    const auto plan = plan_memory(config, config.data.expect_vocab_size, {});
    EXPECT_GT(plan.total, 1.3e9 * 16);
    EXPECT_LT(tensor_bytes("cpu").peak - before, 1 << 20);
}

// The paper trained its models of 1.3 billion parameters on 128 GPUs of 32 GB.
TEST(MemoryPlan, ThePapersLargestModelsFitTheirGpus) {
    constexpr double kGpu = 32e9;
    constexpr double kContext = 1e9;  // for CUDA and NCCL themselves, outside of tensors
    for (const auto* name :
         {"alibi-512", "alibi-1024", "alibi-2048", "sinusoidal-512", "sinusoidal-1024", "sinusoidal-2048"}) {
        const auto config = paper_config(name);
        for (const int ranks : {8, 128}) {
            MemoryRequest request;
            request.device = "cuda";
            request.ranks = ranks;
            request.valid_tokens = config.eval.max_batch_tokens;
            const auto plan = plan_memory(config, config.data.expect_vocab_size, request);
            std::printf("%s on %d GPUs: %s", name, ranks, to_text(plan).c_str());
            EXPECT_LT(plan.total, kGpu - kContext) << name << " on " << ranks;
            EXPECT_GT(plan.total, 1.3e9 * (8 + 8.0 / ranks)) << "less than weights, gradients and Adam's state";
        }
    }
}

}  // namespace
}  // namespace longbow
