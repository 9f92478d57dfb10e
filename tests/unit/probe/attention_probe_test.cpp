#include "longbow/probe/attention_probe.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>

#include "longbow/core/error.h"
#include "unit/model/tiny.h"

namespace longbow {

namespace {

constexpr std::int64_t kLength = 100, kTrained = 70;

// Rows that lie on one key each.
at::Tensor on_key(std::int64_t (*key)(std::int64_t query)) {
    const auto p = torch::zeros({1, kLength, kLength});
    for (std::int64_t query = 0; query < kLength; ++query) p[0][query][key(query)] = 1;
    return p;
}

TEST(AttentionShape, OfEvenAttention) {
    const auto even = torch::ones({2, kLength, kLength}).tril();
    const auto shapes = shapes_of(even.div(even.sum(-1, true)), kTrained);
    ASSERT_EQ(shapes.size(), 2U);
    double sinks = 0, near = 0, far = 0;
    for (std::int64_t n = 1; n <= kLength; ++n) {  // keys of the query
        const auto keys = static_cast<double>(n);
        if (n > 4) sinks += 4 / keys / (kLength - 4);
        if (n > 64) near += 64 / keys / (kLength - 64);
        if (n > kTrained) far += (keys - kTrained) / keys / (kLength - kTrained);
    }
    EXPECT_NEAR(shapes[1].entropy, 1, 1e-6);
    EXPECT_NEAR(shapes[1].entropy_beyond, 1, 1e-6);
    EXPECT_NEAR(shapes[1].sinks, sinks, 1e-6);
    EXPECT_NEAR(shapes[1].near, near, 1e-6);
    EXPECT_NEAR(shapes[1].far, far, 1e-6);
}

TEST(AttentionShape, OfAttentionToOneKey) {
    const auto own = shapes_of(on_key([](std::int64_t query) { return query; }), kTrained).front();
    EXPECT_EQ(own.entropy, 0);
    EXPECT_EQ(own.sinks, 0);
    EXPECT_EQ(own.near, 1);
    EXPECT_EQ(own.far, 0);
    const auto first = shapes_of(on_key([](std::int64_t) { return std::int64_t{0}; }), kTrained).front();
    EXPECT_EQ(first.sinks, 1);
    EXPECT_EQ(first.near, 0);
    EXPECT_EQ(first.far, 1);
    const auto within = shapes_of(on_key([](std::int64_t query) { return query; }), kLength).front();
    EXPECT_TRUE(std::isnan(within.far)) << "no query is beyond the trained length";
    EXPECT_TRUE(std::isnan(within.entropy_beyond));
}

TEST(AttentionProbe, SeesTheProbabilitiesOfEachLayer) {
    const auto model = test::tiny_model(test::tiny_config("alibi", "fp32"));
    const std::vector<std::int64_t> tokens = {1, 4, 2, 5, 3, 1, 6, 0};
    const auto input = torch::tensor(tokens, torch::kLong).unsqueeze(0);
    const torch::NoGradGuard no_grad;
    // Without queries and keys, what remains of a score is its slope times the distance.
    for (auto& stored : model->stored_tensors()) {
        if (stored.name.find("attention.q") != std::string::npos) stored.tensor.zero_();
    }
    const auto before = model->hidden(input);
    const auto name = model->attention().name();
    const auto layers = attention_of(*model, tokens);
    ASSERT_EQ(std::ssize(layers), model->config().model.layers);
    EXPECT_TRUE(torch::equal(before, model->hidden(input)));
    EXPECT_EQ(model->attention().name(), name) << "the model's own back-end serves again";
    const auto heads = model->config().model.heads;
    for (const auto& layer : layers) {
        ASSERT_EQ(layer.sizes(), (std::vector<std::int64_t>{heads, 8, 8}));
        EXPECT_TRUE(torch::allclose(layer.sum(-1), torch::ones({heads, 8})));
        for (std::int64_t query = 1; query < 8; ++query) {
            for (std::int64_t key = 1; key <= query; ++key) {
                const auto ratio = (layer[0][query][key] / layer[0][query][key - 1]).item<float>();
                EXPECT_NEAR(ratio, (layer[0][1][1] / layer[0][1][0]).item<float>(), 1e-3);
                EXPECT_GT(ratio, 1);
            }
            EXPECT_EQ(layer[0][query].slice(0, query + 1).sum().item<float>(), 0);
        }
    }
}

TEST(AttentionProbe, RefusesMethodsThatAttendThemselves) {
    const auto model = test::tiny_model(test::tiny_config("stick_breaking", "fp32"));
    EXPECT_THROW(attention_of(*model, {1, 2, 3}), UsageError);
}

}  // namespace

}  // namespace longbow
