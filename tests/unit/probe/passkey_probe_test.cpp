#include "longbow/probe/passkey_probe.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <set>

#include "longbow/core/error.h"
#include "longbow/text/ids_tokenizer.h"
#include "unit/data/fake_tokenizers.h"
#include "unit/model/tiny.h"

namespace longbow {

namespace {

TEST(Passkey, TheTextHidesTheKeyAndFillsTheLength) {
    const test::ByteTokenizer tokenizer;
    std::set<double> depths;
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        const auto item = passkey_item(tokenizer, 1000, seed);
        EXPECT_LE(item.prompt.size() + item.keys.front().size(), 1000U);
        EXPECT_GT(item.prompt.size() + item.keys.front().size(), 900U) << "a line of filler has 90 bytes";
        EXPECT_EQ(item.prompt.front(), tokenizer.boundary());
        EXPECT_EQ(tokenizer.decode(item.prompt), item.text);
        const auto key = tokenizer.decode(item.keys.front());
        EXPECT_EQ(key.size(), 6U);
        EXPECT_NE(item.text.find("The pass key is" + key + ". Remember it."), std::string::npos);
        EXPECT_TRUE(item.text.ends_with("The pass key is"));
        EXPECT_EQ(item.keys.size(), kFalseKeys + 1);
        EXPECT_EQ(std::set(item.keys.begin(), item.keys.end()).size(), item.keys.size());
        for (const auto& other : item.keys) EXPECT_EQ(other.size(), item.keys.front().size());
        depths.insert(item.depth);
        EXPECT_EQ(item.text, passkey_item(tokenizer, 1000, seed).text);
    }
    EXPECT_EQ(*depths.begin(), 0);
    EXPECT_EQ(*depths.rbegin(), 1);
    EXPECT_GT(depths.size(), 4U);
}

TEST(Passkey, WhatCannotBeAskedIsRefused) {
    EXPECT_THROW(passkey_item(test::ByteTokenizer(), 100, 0), UsageError);
    EXPECT_THROW(passkey_item(test::LineTokenizer(), 1000, 0), DataError) << "numbers of five digits have one id";
    EXPECT_THROW(passkey_item(*make_ids_tokenizer(10, 0), 1000, 0), DataError);
}

// One pass over the prompt and a key gives what the cache gives.
TEST(Passkey, LogprobsAreThoseOfWholePasses) {
    torch::manual_seed(4);
    for (const auto* method : {"alibi", "rotary", "fox"}) {
        const auto model = make_language_model(test::tiny_config(method), 257);
        model->eval();
        auto item = passkey_item(test::ByteTokenizer(), 600, 7);
        item.keys.resize(3);
        const auto logprobs = key_logprobs(*model, item, DType::fp64);
        const torch::NoGradGuard no_grad;
        for (std::size_t k = 0; k < item.keys.size(); ++k) {
            std::vector<std::int64_t> ids(item.prompt.begin(), item.prompt.end());
            ids.insert(ids.end(), item.keys[k].begin(), item.keys[k].end());
            const auto logits = model->head().logits(model->hidden(torch::tensor(ids).unsqueeze(0)).squeeze(0));
            double sum = 0;
            for (auto at = item.prompt.size(); at < ids.size(); ++at) {
                const auto row = logits[static_cast<std::int64_t>(at) - 1].to(torch::kDouble).log_softmax(-1);
                sum += row[ids[at]].item<double>();
            }
            EXPECT_NEAR(logprobs[k], sum, 1e-4) << method;
        }
    }
}

}  // namespace

}  // namespace longbow
