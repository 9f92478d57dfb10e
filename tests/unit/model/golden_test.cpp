// Compares whole models with the authors' code: with weights and token log-probabilities of their fairseq fork
// (tests/golden), for every position method of the paper and every window in each file's list.
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <tuple>

#include "longbow/core/json.h"
#include "longbow/core/strings.h"
#include "position/t5.h"
#include "unit/fairseq_weights.h"
#include "unit/model/tiny.h"

namespace longbow {
namespace {

struct Golden {
    Json config;
    test::Tensors weights, expected;

    explicit Golden(const std::string& method) {
        const std::string folder = std::string(LONGBOW_TEST_DATA) + "/golden/" + method + "_adaptive/";
        config = Json::parse(read_file(folder + "config.json"));
        weights = test::read_tensors(folder + "weights.safetensors");
        expected = test::read_tensors(folder + "expected.safetensors");
    }
};

std::shared_ptr<LanguageModel> model_of(const Golden& golden, const std::string& method, const std::string& backend) {
    Config config;
    config.model.layers = golden.config["layers"];
    config.model.dim = golden.config["dim"];
    config.model.heads = golden.config["heads"];
    config.model.ffn_dim = golden.config["ffn"];
    config.model.final_norm = false;
    config.model.key_bias = true;
    const auto cutoffs = golden.config["cutoff"].get<std::string>();
    for (const auto& cutoff : split(cutoffs, ','))
        config.model.adaptive_cutoffs.push_back(std::stoll(std::string(cutoff)));
    config.model.adaptive_factor = golden.config["factor"];
    config.position.method = method;
    config.attention.backend = backend;
    config.train.length = golden.config["train_len"];
    auto model = make_language_model(config, golden.config["vocab"]);
    test::set_weights(*model, golden.weights);
    model->eval();
    return model;
}

class GoldenModel : public testing::TestWithParam<std::tuple<std::string, std::string>> {};

TEST_P(GoldenModel, LogProbabilitiesOfEveryWindow) {
    const auto& [method, backend] = GetParam();
    at::set_num_threads(1);  // the windows are thousands, and tiny
    const Golden golden(method);
    const auto model = model_of(golden, method, backend);
    const torch::NoGradGuard no_grad;
    const auto targets = golden.expected.at("tokens");
    const auto count = targets.size(0);
    constexpr std::int64_t kBoundary = 2;
    const auto inputs = torch::cat({torch::full({1}, kBoundary, torch::kLong), targets.slice(0, 0, count - 1)});
    for (const auto& evaluation : golden.config["evals"]) {
        const std::int64_t length = evaluation[0], context = evaluation[1], stride = length - context;
        const auto expected =
            golden.expected.at("logprobs_L" + std::to_string(length) + "_ctx" + std::to_string(context));
        auto found = torch::empty({count});
        for (std::int64_t begin = 0; begin < count; begin += stride) {
            const auto end = std::min(begin + stride, count);
            const auto first = std::max<std::int64_t>({0, begin - context, end - length});
            const auto hidden = model->hidden(inputs.slice(0, first, end).unsqueeze(0))[0].slice(0, begin - first);
            const auto window = targets.slice(0, begin, end);
            found.slice(0, begin, end).copy_(model->head().nll(hidden, window).neg());
            if (begin == 0) {  // the same distribution as generation sees it
                const auto log_p =
                    model->head().logits(hidden).log_softmax(1).gather(1, window.unsqueeze(1)).squeeze(1);
                EXPECT_LT(test::largest_difference(log_p, found.slice(0, begin, end)), 1e-5);
            }
        }
        EXPECT_LT(test::largest_difference(found, expected), 2e-5) << "length " << length << " context " << context;
    }
}

INSTANTIATE_TEST_SUITE_P(Paper, GoldenModel,
                         testing::Combine(testing::Values("alibi", "sinusoidal", "rotary", "t5"),
                                          testing::Values("sdpa", "reference")),
                         [](const auto& chosen) {
                             return std::get<0>(chosen.param) + "_" + std::get<1>(chosen.param);
                         });

TEST(GoldenT5, BucketsOfFarDistances) {
    const Golden golden("t5");
    const auto expected = golden.weights.at("t5_bucket_of_distance_0_4095");
    EXPECT_TRUE(t5_buckets(4096, 32, 128).equal(expected));
    EXPECT_TRUE(expected.slice(0, 128).eq(31).all().item<bool>());  // our table of 129 columns relies on this
}

}  // namespace
}  // namespace longbow
