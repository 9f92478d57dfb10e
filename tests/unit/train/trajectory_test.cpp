// Repeats thirty updates of the authors' trainer (tests/golden/trajectory_alibi: adaptive softmax with its quirk, NAG,
// cosine with warm-up and restarts, clipping, two micro-batches per update) from their initial weights on their text,
// and compares batches, learning rates, gradient norms, losses and weights. Their dropout is 0, so only the order of
// the data is random.
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>

#include "longbow/core/json.h"
#include "longbow/data/memory_stream.h"
#include "train/session.h"
#include "train/update.h"
#include "unit/fairseq_weights.h"

namespace longbow {
namespace {

constexpr std::int64_t kLength = 16, kBatch = 8, kBoundary = 2, kPad = 1, kVocab = 304;
constexpr std::int64_t kBatchesOfEpoch = 39;  // 20 updates, the last of which has a single micro-batch

std::string folder() { return std::string(LONGBOW_TEST_DATA) + "/golden/trajectory_alibi/"; }

Config their_config() {
    Config config;
    config.model.layers = 2;
    config.model.dim = 32;
    config.model.heads = 4;
    config.model.ffn_dim = 64;
    config.model.final_norm = false;
    config.model.key_bias = true;
    config.model.dropout = 0;
    config.model.adaptive_cutoffs = {40, 120};
    config.optim.name = "nag";
    config.optim.lr = 1.0;
    config.optim.momentum = 0.99;
    config.optim.clip_norm = 0.1;
    config.schedule.warmup = {4, Duration::Unit::updates};
    config.schedule.warmup_init_lr = 1e-7;
    config.schedule.warmup_at_init = true;
    config.schedule.min_lr = 1e-4;
    config.schedule.period = {10, Duration::Unit::updates};
    config.schedule.restarts = true;
    config.schedule.period_mult = 2;
    config.schedule.shrink = 0.75;
    config.train.length = kLength;
    config.train.batch = kBatch;
    config.train.accumulate = 2;
    config.train.order = DataOrder::fairseq;
    config.train.skip_second_tail_words = true;
    return config;
}

struct Theirs {
    Json trajectory = Json::parse(read_file(folder() + "trajectory.json"));
    test::Tensors batches = test::read_tensors(folder() + "batches.safetensors");

    // Returns inputs and targets of all micro-batches in order.
    std::vector<std::pair<at::Tensor, at::Tensor>> in_order() const {
        std::vector<std::pair<at::Tensor, at::Tensor>> all;
        for (const auto& update : trajectory["updates"]) {
            for (int micro = 0; micro < update["microbatches"].get<int>(); ++micro) {
                const auto name = "batch_" + std::to_string(update["update"].get<int>()) + "_" + std::to_string(micro);
                all.emplace_back(batches.at(name + ".src"), batches.at(name + ".tgt"));
            }
        }
        return all;
    }

    // Returns their text, put together from the targets of the first epoch by our order. Where blocks meet shows that
    // the order is theirs: each block's first input is the last target of the block before it in the text.
    std::vector<TokenId> stream() const {
        const auto all = in_order();
        std::int64_t rows = 0, tokens = 0;
        for (std::size_t i = 0; i < kBatchesOfEpoch; ++i) {
            rows += all[i].second.size(0);
            tokens += all[i].second.ne(kPad).sum().item<std::int64_t>();
        }
        EXPECT_EQ(rows, (tokens + kLength - 1) / kLength);
        const FairseqOrder order(tokens, kLength, kBatch, 1, 1);
        std::vector<TokenId> stream(static_cast<std::size_t>(tokens));
        for (std::int64_t i = 0; i < kBatchesOfEpoch; ++i) {
            const auto blocks = order.micro_batch(i, 0);
            for (std::size_t row = 0; row < blocks.size(); ++row) {
                const auto targets = all[static_cast<std::size_t>(i)].second[static_cast<std::int64_t>(row)];
                for (std::int64_t t = 0; t < blocks[row].length; ++t) {
                    stream[static_cast<std::size_t>(blocks[row].begin + t)] =
                        static_cast<TokenId>(targets[t].item<std::int64_t>());
                }
            }
        }
        return stream;
    }
};

TEST(Trajectory, TheBatchesAreTheirs) {
    const Theirs theirs;
    const auto ids = theirs.stream();
    EXPECT_EQ(ids.size(), 4937U);
    const auto stream = stream_of_ids(ids, kBoundary);
    const auto order = training_order(*stream, their_config().train);
    EXPECT_EQ(order->updates_per_epoch(), 20);
    const auto all = theirs.in_order();
    std::size_t n = 0;
    for (std::int64_t update = 0; update < 30; ++update) {
        for (std::int64_t micro = 0; micro < 2; ++micro) {
            const auto blocks = order->micro_batch({update, 0}, micro);
            if (update == 19 && micro == 1) {
                EXPECT_TRUE(blocks.empty());
                continue;
            }
            const auto& [src, tgt] = all.at(n++);
            ASSERT_EQ(static_cast<std::int64_t>(blocks.size()), src.size(0)) << update;
            auto inputs = torch::empty_like(src), targets = torch::empty_like(src);
            fill_batch(*stream, blocks, kLength, inputs.mutable_data_ptr<std::int64_t>(),
                       targets.mutable_data_ptr<std::int64_t>());
            EXPECT_TRUE(targets.eq(kNoTarget).equal(tgt.eq(kPad))) << update;
            EXPECT_TRUE(targets.masked_fill(tgt.eq(kPad), kPad).equal(tgt)) << update;
            EXPECT_TRUE(inputs.masked_select(src.ne(kPad)).equal(src.masked_select(src.ne(kPad)))) << update;
        }
    }
    EXPECT_EQ(n, all.size());
}

TEST(Trajectory, ThirtyUpdatesEndWithTheirWeights) {
    at::set_num_threads(1);
    const Theirs theirs;
    const auto stream = stream_of_ids(theirs.stream(), kBoundary);
    Session session;
    session.config = their_config();
    session.train = stream.get();
    session.model = make_language_model(session.config, kVocab);
    test::set_weights(*session.model, test::read_tensors(folder() + "weights_init.safetensors"));
    session.parameters = session.model->parameters();
    session.ranks = std::make_shared<Communicator>();
    session.parallel = std::make_unique<DataParallel>(*session.ranks, session.parameters, session.config.dist);
    session.optimizer =
        make_optimizer(session.config.optim, session.parameters, std::vector<bool>(session.parameters.size(), false));
    session.order = training_order(*stream, session.config.train);
    session.warmup = 4;
    session.state.schedule_period = 10;
    for (const auto& expected : theirs.trajectory["updates"]) {
        const int update = expected["update"];
        const auto result = run_update(session);
        EXPECT_NEAR(result.lr / expected["lr_used"].get<double>(), 1.0, 1e-7) << update;
        EXPECT_NEAR(result.grad_norm / expected["gnorm"].get<double>(), 1.0, 2e-6) << update;
        EXPECT_NEAR(result.nll / static_cast<double>(result.tokens) / std::log(2.0),
                    expected["loss_base2"].get<double>(), 6e-4)
            << update;
        double tolerance = 5e-6;
        if (update == 0) tolerance = 1e-7;
        if (update != 0 && update != 1 && update != 9 && update != 29) continue;
        const auto weights = test::read_tensors(folder() + "weights_" + std::to_string(update) + ".safetensors");
        for (const auto& stored : session.model->stored_tensors()) {
            EXPECT_LT((stored.tensor - weights.at(test::fairseq_name(stored.name))).abs().max().item<double>(),
                      tolerance)
                << stored.name << " after update " << update;
        }
    }
}

}  // namespace
}  // namespace longbow
