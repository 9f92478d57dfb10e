#include "longbow/task/task_stream.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "longbow/config/context.h"
#include "longbow/config/load.h"
#include "longbow/core/error.h"
#include "longbow/data/batches.h"
#include "longbow/data/update_share.h"
#include "longbow/task/task.h"
#include "unit/error_of.h"

namespace longbow {

namespace {

constexpr std::int64_t kRow = 50;  // longer than the longest item, which has 42 tokens

TaskConfig copy_task() { return {"copy", 20, {}}; }

TrainConfig train_config() {
    TrainConfig config;
    config.length = kRow;
    config.batch = 8;
    config.accumulate = 3;
    return config;
}

TEST(TaskStream, RowsAreItemsFilledUp) {
    const auto stream = task_stream(copy_task(), kRow);
    const auto task = make_task(copy_task());
    std::vector<std::int64_t> ids(3 * kRow);
    stream->read(5 * kRow, 3 * kRow, ids.data());
    for (std::uint64_t row = 0; row < 3; ++row) {
        auto expected = make_item(*task, 1, 20, training_item_seed(5 + row)).tokens;
        expected.resize(kRow, kTaskEnd);
        EXPECT_TRUE(std::equal(expected.begin(), expected.end(), ids.begin() + static_cast<std::int64_t>(row) * kRow));
    }
    std::vector<std::int64_t> inner(kRow);
    stream->read(5 * kRow + 17, kRow, inner.data());
    EXPECT_TRUE(std::equal(inner.begin(), inner.end(), ids.begin() + 17));
    EXPECT_THROW(stream->read(stream->size() - 1, 2, ids.data()), DataError);
}

TEST(TaskStream, OnlyAnswersAreTargets) {
    const auto stream = task_stream(copy_task(), kRow);
    const auto task = make_task(copy_task());
    const auto order = training_order(*stream, train_config());
    const auto blocks = order->micro_batch({}, 0);
    ASSERT_EQ(blocks.size(), 8U);
    std::vector<std::int64_t> inputs(8 * kRow), targets(8 * kRow);
    fill_batch(*stream, blocks, kRow, inputs.data(), targets.data());
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        const auto* input = inputs.data() + i * kRow;
        const auto* target = targets.data() + i * kRow;
        ASSERT_EQ(blocks[i].begin % kRow, 0) << "each input is one row";
        const auto item =
            make_item(*task, 1, 20, training_item_seed(static_cast<std::uint64_t>(blocks[i].begin / kRow)));
        EXPECT_EQ(input[0], kTaskEnd);
        std::int64_t losses = 0;
        for (std::size_t at = 0; at < kRow; ++at) {
            const bool scored = at < item.tokens.size() && item.scored[at];
            EXPECT_EQ(target[at], scored ? item.tokens[at] : kNoTarget);
            const bool is_input = at + 1 < kRow && at < item.tokens.size();
            EXPECT_TRUE(!is_input || input[at + 1] == item.tokens[at]);
            losses += scored ? 1 : 0;
        }
        EXPECT_EQ(blocks[i].length - blocks[i].masked, losses);
    }
}

TEST(TaskStream, RanksDivideByTheSameNumber) {
    const auto stream = task_stream(copy_task(), kRow);
    const auto order = training_order(*stream, train_config());
    const auto alone = share_of_update(*order, {7, 7 * 24}, train_config());
    std::int64_t losses = 0;
    for (const auto& blocks : alone.micro_batches) {
        for (const auto& block : blocks) losses += block.length - block.masked;
    }
    EXPECT_EQ(alone.losses, losses);
    EXPECT_EQ(alone.tokens, 24 * kRow);
    for (const int world : {2, 3}) {
        for (int rank = 0; rank < world; ++rank)
            EXPECT_EQ(share_of_update(*order, {7, 7 * 24}, train_config(), rank, world).losses, losses);
    }
}

TEST(TaskStream, AnotherTaskHasAnotherFingerprint) {
    const auto print = [](const TaskConfig& config) { return task_stream(config, kRow)->fingerprint(); };
    EXPECT_EQ(print(copy_task()), print({"copy", 20, {{"symbols", std::int64_t{26}}}})) << "the default";
    EXPECT_NE(print(copy_task()), print({"reverse", 20, {}}));
    EXPECT_NE(print(copy_task()), print({"copy", 19, {}}));
    EXPECT_NE(print(copy_task()), print({"copy", 20, {{"symbols", std::int64_t{27}}}}));
}

TEST(TaskStream, TheTokenizerHasTheTasksIds) {
    const auto tokenizer = task_tokenizer({"copy", 20, {{"symbols", std::int64_t{10}}}});
    EXPECT_EQ(tokenizer->vocab_size(), 12);
    EXPECT_EQ(tokenizer->boundary(), kTaskEnd);
    std::vector<TokenId> ids;
    EXPECT_THROW(tokenizer->encode("a", ids), DataError);
}

std::string refusal(const std::string& yaml) {
    return test::error_of<ConfigError>([&] { parse_config(yaml, "task.yaml", registered_config_context()); });
}

TEST(TaskConfiguration, IsChecked) {
    const std::string good = "task: {name: copy, length: 20}\ntrain: {length: 42}\n";
    EXPECT_EQ(parse_config(good, "task.yaml", registered_config_context()).task.options.at("symbols"),
              OptionValue(std::int64_t{26}));
    EXPECT_EQ(refusal("task: {name: copy, length: 20}\ntrain:\n  length: 41\n"),
              "task.yaml:3: train.length: an item of 20 symbols has up to 42 tokens, more than train.length (41): set "
              "train.length: 42");
    EXPECT_NE(refusal(good + "data: {store: there}\n").find("it needs task.name: none, and task.name is copy"),
              std::string::npos);
    EXPECT_NE(refusal(good + "eval: {lengths: [64]}\n").find("eval.lengths has no effect here"), std::string::npos);
    EXPECT_NE(refusal("task: {length: 20}\n").find("it needs a task (task.name)"), std::string::npos);
    EXPECT_NE(refusal("task: {name: cpoy, length: 20}\n").find("copy"), std::string::npos);
    EXPECT_NE(refusal("task: {name: copy, modulus: 5}\ntrain: {length: 42}\n").find("modular"), std::string::npos);
    EXPECT_NE(refusal("task: {name: copy}\ntrain: {length: 42, stop: 3 epochs}\n").find("there are no epochs"),
              std::string::npos);
    EXPECT_NE(refusal("task: {name: mqar, length: 300}\ntrain: {length: 900}\n").find("at most 256 pairs"),
              std::string::npos);
    EXPECT_NE(refusal("task: {name: needle, length: 1}\ntrain: {length: 90}\n").find("at least 2 tokens"),
              std::string::npos);
    EXPECT_NE(refusal("task: {name: needle, needles: 17}\ntrain: {length: 90}\n").find("task.needles"),
              std::string::npos);
}

}  // namespace

}  // namespace longbow
