// Compares the adaptive input and softmax with their definition written out with autograd: values, gradients, and edge
// cases.
#include <gtest/gtest.h>
#include <torch/nn/functional.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>
#include <tuple>

#include "longbow/core/error.h"
#include "longbow/model/autocast.h"
#include "longbow/model/linear.h"
#include "model/adaptive_bands.h"
#include "unit/model/gemm_scope.h"
#include "unit/model/tiny.h"
#include "unit/stored_gradients.h"

namespace longbow {
namespace {

using test::largest_difference;
using test::stored_gradients;
namespace F = torch::nn::functional;

// 37 words in bands of 10, 15 and 12 words, with 24, 12 and 6 dimensions.
Config adaptive_config(const std::string& dtype = "fp64") {
    auto config = test::tiny_config("none", dtype);
    config.model.adaptive_cutoffs = {10, 25};
    config.model.adaptive_factor = 2;
    return config;
}
constexpr std::int64_t kBegin[] = {0, 10, 25, test::kVocab};

// The oracle's parameters: leaves with the values of the model's stored tensors, tied as in the model.
struct Plain {
    std::map<std::string, at::Tensor> weights;

    explicit Plain(const LanguageModel& model) {
        for (const auto& stored : model.stored_tensors())
            weights[stored.name] = stored.tensor.clone().requires_grad_(true);
    }
    at::Tensor words(int band) const {
        return either("head.bands." + std::to_string(band) + ".weight",
                      "embed.bands." + std::to_string(band) + ".weight");
    }
    at::Tensor projection(int band) const {
        return either("head.bands." + std::to_string(band) + ".projection",
                      "embed.bands." + std::to_string(band) + ".projection");
    }
    at::Tensor either(const std::string& own, const std::string& tied) const {
        return weights.contains(own) ? weights.at(own) : weights.at(tied);
    }

    at::Tensor embed(const at::Tensor& tokens) const {
        std::vector<at::Tensor> all;
        for (int i = 0; i < 3; ++i) {
            const auto band = "embed.bands." + std::to_string(i);
            all.push_back(weights.at(band + ".weight").matmul(weights.at(band + ".projection").t()));
        }
        return torch::cat(all).index_select(0, tokens.reshape({-1})).view({tokens.size(0), tokens.size(1), -1});
    }

    // Returns log-probabilities, [n, vocab].
    at::Tensor log_probabilities(const at::Tensor& hidden) const {
        const auto head = hidden.matmul(torch::cat({words(0), weights.at("head.classes")}).t()).log_softmax(1);
        std::vector<at::Tensor> parts = {head.slice(1, 0, 10)};
        for (int i = 1; i < 3; ++i) {
            parts.push_back(hidden.matmul(projection(i)).matmul(words(i).t()).log_softmax(1) +
                            head.select(1, 9 + i).unsqueeze(1));
        }
        return torch::cat(parts, 1);
    }
    at::Tensor loss(const at::Tensor& hidden, const at::Tensor& targets) const {
        return log_probabilities(hidden).gather(1, targets.unsqueeze(1)).sum().neg();
    }
};

class AdaptiveHeadTest : public testing::TestWithParam<std::tuple<bool, bool>> {};

TEST_P(AdaptiveHeadTest, LossAndGradientsEqualTheDefinition) {
    auto config = adaptive_config();
    std::tie(config.model.tie_output, config.model.tie_projections) = GetParam();
    for (const auto& [targets, what] : std::vector<std::pair<at::Tensor, std::string>>{
             {torch::randint(test::kVocab, {53}, torch::kLong), "all bands"},
             {torch::randint(10, {53}, torch::kLong), "no word of a tail"},
             {torch::randint(25, test::kVocab, {53}, torch::kLong), "words of the last band only"},
             {torch::full({1}, 24, torch::kLong), "one token"},
             {torch::tensor({0, 9, 10, 24, 25, 36}), "the first and last word of each band"}}) {
        const auto model = test::tiny_model(config);
        const Plain plain(*model);
        auto hidden = torch::randn({targets.size(0), 24}, torch::kDouble).requires_grad_(true);
        auto hidden_plain = hidden.detach().clone().requires_grad_(true);
        const auto loss = model->head().loss(hidden, targets, 0.37);
        const auto expected = plain.loss(hidden_plain, targets) * 0.37;
        EXPECT_NEAR(loss.item<double>(), expected.item<double>(), 1e-11) << what;
        (loss * 3).backward();  // a later factor, such as a loss scale
        (expected * 3).backward();
        EXPECT_LT(largest_difference(hidden.grad(), hidden_plain.grad()), 1e-13) << what;
        const auto gradients = stored_gradients(*model);
        for (const auto& [name, weight] : plain.weights) {
            if (!weight.grad().defined()) continue;
            ASSERT_TRUE(gradients.contains(name)) << name << ": a band without a word has a gradient of zero, not none";
            EXPECT_LT(largest_difference(gradients.at(name), weight.grad()), 1e-13) << what << ": " << name;
        }
        const auto nll = model->head().nll(hidden.detach(), targets);
        EXPECT_LT(
            largest_difference(nll, -plain.log_probabilities(hidden_plain).gather(1, targets.unsqueeze(1)).squeeze(1)),
            1e-12)
            << what;
        EXPECT_LT(largest_difference(model->head().logits(hidden.detach()), plain.log_probabilities(hidden_plain)),
                  1e-12)
            << what;
    }
}

INSTANTIATE_TEST_SUITE_P(Ties, AdaptiveHeadTest,
                         testing::Values(std::tuple(true, true), std::tuple(true, false), std::tuple(false, false)),
                         [](const auto& ties) {
                             return std::string(std::get<0>(ties.param) ? "words" : "") +
                                    (std::get<1>(ties.param) ? "projections" : "") +
                                    (std::get<0>(ties.param) ? "" : "none");
                         });

TEST(AdaptiveEmbedding, EqualsTheDefinitionWithGradients) {
    const auto model = test::tiny_model(adaptive_config());
    const Plain plain(*model);
    for (const auto& tokens :
         {test::random_tokens(3, 17), torch::full({1, 1}, 30, torch::kLong), torch::zeros({2, 4}, torch::kLong)}) {
        model->zero_grad();
        for (const auto& [name, weight] : plain.weights) {
            const auto leaf = weight;
            leaf.mutable_grad() = at::Tensor();
        }
        const auto found = model->hidden(tokens);
        const auto expected = model->run_blocks(plain.embed(tokens) * std::sqrt(24.0));
        EXPECT_LT(largest_difference(found, expected), 1e-12);
        const auto weight = torch::randn_like(found);
        (found * weight).sum().backward();
        (expected * weight).sum().backward();
        const auto gradients = stored_gradients(*model);
        for (int i = 0; i < 3; ++i) {
            for (const char* kind : {".weight", ".projection"}) {
                const auto name = "embed.bands." + std::to_string(i) + kind;
                EXPECT_LT(largest_difference(gradients.at(name), plain.weights.at(name).grad()), 1e-10) << name;
            }
        }
    }
}

TEST(AdaptiveHead, GradientsAreTheSameEveryTime) {
    const test::GemmScope scope(GemmLibrary::onednn);
    const auto model = test::tiny_model(adaptive_config("fp32"));
    const auto tokens = test::random_tokens(8, 40);
    const auto targets = torch::randint(test::kVocab, {320}, torch::kLong);
    std::map<std::string, at::Tensor> first;
    for (int run = 0; run < 5; ++run) {
        model->zero_grad();
        model->head().loss(model->hidden(tokens).view({-1, 24}), targets, 1.0).backward();
        const auto now = stored_gradients(*model);
        for (const auto& [name, gradient] : now) {
            if (run == 0) first[name] = gradient.clone();
            EXPECT_TRUE(gradient.equal(first.at(name))) << name;
        }
    }
}

TEST(AdaptiveHead, TheSecondWordOfATailHasNoLossWithinItsBandIfSoConfigured) {
    auto config = adaptive_config();
    config.train.skip_second_tail_words = true;
    const auto model = test::tiny_model(config);
    const Plain plain(*model);
    const auto hidden = torch::randn({4, 24}, torch::kDouble);
    // These are the second words of both tails, the first word of one, and the second word of band 0.
    const auto targets = torch::tensor({11, 26, 10, 1});
    const auto log_p = plain.log_probabilities(hidden);
    const auto head = hidden.matmul(torch::cat({plain.words(0), plain.weights.at("head.classes")}).t()).log_softmax(1);
    const auto expected = -(head[0][10] + head[1][11] + log_p[2][10] + log_p[3][1]);
    EXPECT_NEAR(model->head().loss(hidden, targets, 1.0).item<double>(), expected.item<double>(), 1e-12);
    EXPECT_LT(largest_difference(model->head().nll(hidden, targets), -log_p.gather(1, targets.unsqueeze(1)).squeeze(1)),
              1e-12)
        << "evaluation scores every word";
    model->eval();
    EXPECT_NEAR(model->head().loss(hidden, targets, 1.0).item<double>(), plain.loss(hidden, targets).item<double>(),
                1e-12);
}

TEST(AdaptiveHead, TailDropoutActsBetweenProjectionAndWordsInTraining) {
    auto config = adaptive_config();
    config.model.tail_dropout = 0.5;
    const auto model = test::tiny_model(config);
    const auto hidden = torch::randn({40, 24}, torch::kDouble);
    const auto common = torch::randint(10, {40}, torch::kLong);
    const auto rare = torch::randint(25, test::kVocab, {40}, torch::kLong);
    const auto loss = [&](const at::Tensor& targets) {
        return model->head().loss(hidden, targets, 1.0).item<double>();
    };
    torch::manual_seed(1);
    const double first = loss(rare);
    EXPECT_NE(first, loss(rare)) << "another mask";
    torch::manual_seed(1);
    EXPECT_EQ(first, loss(rare));
    EXPECT_EQ(loss(common), loss(common)) << "the first softmax has none";
    model->eval();
    EXPECT_EQ(loss(rare), loss(rare));
}

TEST(AdaptiveHead, HalfPrecisionStaysNear) {
    const auto model = test::tiny_model(adaptive_config("fp32"));
    const auto hidden = torch::randn({31, 24});
    const auto targets = torch::randint(test::kVocab, {31}, torch::kLong);
    const auto tokens = test::random_tokens(2, 9);
    const auto full = model->head().loss(hidden, targets, 1.0).item<double>();
    const AutocastScope autocast(at::kCPU, at::kBFloat16);
    EXPECT_NEAR(model->head().loss(hidden, targets, 1.0).item<double>() / full, 1.0, 0.02);
    EXPECT_EQ(model->head().nll(hidden, targets).scalar_type(), at::kFloat);
    EXPECT_EQ(model->hidden(tokens).scalar_type(), at::kFloat) << "the residual stream stays fp32";
}

TEST(AdaptiveBands, SplitSortsByBandInOrder) {
    const AdaptiveBands bands(adaptive_config().model, test::kVocab);
    EXPECT_EQ(bands.count(), 3U);
    EXPECT_EQ(bands.dim(2), 6);
    const auto split = bands.split(torch::tensor({30, 3, 12, 0, 36, 10}));
    EXPECT_TRUE(split.order.equal(torch::tensor({1, 3, 2, 5, 0, 4})));
    EXPECT_EQ(split.begins, (std::vector<std::int64_t>{0, 2, 4, 6}));
    EXPECT_EQ(bands.split(torch::empty({0}, torch::kLong)).begins.back(), 0);
}

TEST(AdaptiveBands, AnIdOutsideTheVocabularyIsNamed) {
    const auto model = test::tiny_model(adaptive_config());
    const auto hidden = torch::randn({2, 24}, torch::kDouble);
    EXPECT_THROW(model->hidden(torch::tensor({{std::int64_t{0}, test::kVocab}})), DataError);
    EXPECT_THROW(model->head().loss(hidden, torch::tensor({std::int64_t{3}, test::kVocab}), 1.0), DataError);
    EXPECT_THROW(model->head().nll(hidden, torch::tensor({-1, 3})), DataError);
}

TEST(AdaptiveBands, ACutoffBeyondTheVocabularyIsRefused) {
    auto config = adaptive_config();
    config.model.adaptive_cutoffs = {10, test::kVocab};
    EXPECT_THROW(test::tiny_model(config), ConfigError);
}

TEST(AdaptiveModel, StartsAsFairseqAndIsStoredUnderItsNames) {
    const auto model = test::tiny_model(adaptive_config("fp32"));
    std::map<std::string, at::Tensor> stored;
    for (const auto& tensor : model->stored_tensors()) stored[tensor.name] = tensor.tensor;
    EXPECT_FALSE(stored.contains("embed.tokens.weight"));
    EXPECT_EQ(stored.at("head.classes").sizes(), (std::vector<std::int64_t>{2, 24}));
    EXPECT_LE(stored.at("head.classes").abs().max().item<double>(), std::sqrt(6.0 / 26));
    for (int i = 0; i < 3; ++i) {
        const auto& words = stored.at("embed.bands." + std::to_string(i) + ".weight");
        const auto width = 24 >> i;
        EXPECT_EQ(words.sizes(), (std::vector<std::int64_t>{kBegin[i + 1] - kBegin[i], width}));
        EXPECT_EQ(words[1].abs().max().item<double>(), 0.0);
        EXPECT_NEAR(words.std().item<double>(), 1 / std::sqrt(width), 0.5 / std::sqrt(width));
        const auto& projection = stored.at("embed.bands." + std::to_string(i) + ".projection");
        EXPECT_EQ(projection.sizes(), (std::vector<std::int64_t>{24, width}));
        EXPECT_LE(projection.abs().max().item<double>(), std::sqrt(6.0 / (24 + width)));
    }
    std::int64_t elements = 0;
    for (const auto& [name, tensor] : stored) elements += tensor.numel();
    EXPECT_EQ(elements, model->parameter_count());
}

// The paper's WikiText-103 model has 246,933,504 parameters, as the authors' code counts them. They are computed from
// models with one and two of its sixteen layers.
TEST(AdaptiveModel, ThePapersModelHasThePapersParameters) {
    Config config;
    config.model.dim = 1024;
    config.model.heads = 8;
    config.model.ffn_dim = 4096;
    config.model.final_norm = false;
    config.model.key_bias = true;
    config.model.adaptive_cutoffs = {20000, 60000};
    std::int64_t parameters[2];
    for (const int layers : {1, 2}) {
        config.model.layers = layers;
        parameters[layers - 1] = make_language_model(config, 267744)->parameter_count();
    }
    EXPECT_EQ(parameters[0] + 15 * (parameters[1] - parameters[0]), 246933504);
}

}  // namespace
}  // namespace longbow
