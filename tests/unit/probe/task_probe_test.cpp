#include "longbow/probe/task_probe.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>

#include "longbow/config/context.h"
#include "longbow/config/load.h"

namespace longbow {

namespace {

std::shared_ptr<LanguageModel> small_model(const std::string& position, const Task& task) {
    torch::manual_seed(3);
    const auto config = parse_config("model: {layers: 2, dim: 16, heads: 2, ffn_dim: 32, dropout: 0}\nposition: {" +
                                         position + "}\ntrain: {length: 8}\n",
                                     "small.yaml", registered_config_context());
    auto model = make_language_model(config, task.vocab_size());
    model->eval();
    return model;
}

// Decodes the answer's places greedily, a token at a time from a cache: what a user of the model would get.
TaskItem decoded(LanguageModel& model, TaskItem item) {
    const torch::NoGradGuard no_grad;
    KvCache cache;
    cache.evaluated_length = std::ssize(item.tokens);
    auto last = kTaskEnd;
    for (std::size_t at = 0; at < item.tokens.size(); ++at) {
        const auto hidden = model.hidden(torch::full({1, 1}, last, torch::kLong), &cache).select(1, -1);
        if (item.scored[at]) item.tokens[at] = model.head().logits(hidden).argmax().item<std::int64_t>();
        last = item.tokens[at];
    }
    return item;
}

void check_scores(const std::string& position) {
    const auto task = make_task({"copy", 20, {}});
    const auto model = small_model(position, *task);
    std::vector<TaskItem> items;
    for (std::uint64_t i = 0; i < 12; ++i)
        items.push_back(decoded(*model, make_item(*task, 1, 20, probe_item_seed(1, 1, i))));
    for (const auto& score : score_items(*model, items, DType::fp32, 100)) {
        EXPECT_TRUE(score.exact);
        EXPECT_EQ(score.right, score.total);
    }
    // A wrong last token costs one token, a wrong first one whatever follows from it.
    for (auto& item : items) item.tokens.back() = item.tokens.back() == 5 ? 6 : 5;
    const auto scores = score_items(*model, items, DType::fp32, 100);
    for (std::size_t i = 0; i < scores.size(); ++i) {
        EXPECT_FALSE(scores[i].exact);
        EXPECT_EQ(scores[i].right, scores[i].total - 1);
        EXPECT_EQ(scores[i].total, std::count(items[i].scored.begin(), items[i].scored.end(), true));
    }
}

TEST(TaskProbe, ExactIsWhatGreedyDecodingGives) { check_scores("method: alibi"); }
TEST(TaskProbe, ExactIsWhatGreedyDecodingGivesWhereTheLengthCounts) {
    check_scores("method: rotary, scaling: dynamic, factor: 4");
}

TEST(TaskProbe, BucketsEndWithTheTaskAndTheModel) {
    const auto copy = make_task({"copy", 20, {}});
    const auto all = task_buckets(*copy, 20, 0);
    ASSERT_EQ(all.size(), 4U);
    EXPECT_EQ(all[0].least, 1);
    EXPECT_EQ(all[0].most, 20);
    EXPECT_EQ(all[1].least, 21);
    EXPECT_EQ(all[3].least, 81);
    EXPECT_EQ(all[3].most, 160);
    EXPECT_EQ(task_buckets(*copy, 20, 42).size(), 1U);
    EXPECT_EQ(task_buckets(*copy, 20, 82).size(), 2U);
    EXPECT_EQ(task_buckets(*make_task({"mqar", 20, {{"keys", std::int64_t{100}}}}), 20, 0).size(), 3U);
}

}  // namespace

}  // namespace longbow
