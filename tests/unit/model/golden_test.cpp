// The layers against the authors' code: weights and token log-probabilities that their fairseq fork computed (tests/golden), for every
// position method of the paper and every window of each file's list. Embedding and softmax of these models are adaptive (bands of the
// vocabulary with dimensions of their own); the test computes both around our blocks.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <map>

#include "longbow/core/files.h"
#include "longbow/core/json.h"
#include "longbow/core/safetensors_header.h"
#include "longbow/model/language_model.h"
#include "position/t5.h"
#include "unit/model/tiny.h"

namespace longbow {
namespace {

using Tensors = std::map<std::string, at::Tensor>;

Tensors read_tensors(const std::string& path) {
    const auto bytes = read_file(path);
    const auto header = parse_safetensors_header(std::as_bytes(std::span(bytes)), path);
    Tensors tensors;
    for (const auto& entry : header.tensors) {
        const auto type = entry.dtype == "I64" ? torch::kLong : torch::kFloat;
        auto* data = const_cast<char*>(bytes.data()) + header.data_begin + entry.begin;
        tensors[entry.name] = torch::from_blob(data, entry.shape, type).clone();
    }
    return tensors;
}

struct Golden {
    Json config;
    Tensors weights, expected;

    explicit Golden(const std::string& method) {
        const std::string folder = std::string(LONGBOW_TEST_DATA) + "/golden/" + method + "_adaptive/";
        config = Json::parse(read_file(folder + "config.json"));
        weights = read_tensors(folder + "weights.safetensors");
        expected = read_tensors(folder + "expected.safetensors");
    }

    at::Tensor weight(const std::string& name) const { return weights.at("decoder." + name); }
    at::Tensor band(int i) const { return weight("embed_tokens.embeddings." + std::to_string(i) + ".0.weight"); }
    at::Tensor projection(int i) const { return weight("embed_tokens.embeddings." + std::to_string(i) + ".1.weight"); }

    // tokens [length] -> [1, length, dim]: sqrt(dim) * E_band[id - first id of the band] P_band^T.
    at::Tensor embed(const at::Tensor& tokens) const {
        std::vector<at::Tensor> all;
        for (int i = 0; i < 3; ++i) all.push_back(band(i).matmul(projection(i).t()));
        const auto table = torch::cat(all);
        return table.index_select(0, tokens).mul(std::sqrt(static_cast<double>(table.size(1)))).unsqueeze(0);
    }

    // hidden [length, dim] -> log-probabilities [length, vocab]; a tail's words share the probability of its class in the head.
    at::Tensor log_probabilities(const at::Tensor& hidden) const {
        const auto head_weight = torch::cat({band(0), weight("adaptive_softmax.head.class_proj.weight")});
        const auto head = hidden.matmul(head_weight.t()).log_softmax(1);
        std::vector<at::Tensor> parts = {head.slice(1, 0, band(0).size(0))};
        for (int i = 1; i < 3; ++i) {
            const auto tail = hidden.matmul(projection(i)).matmul(band(i).t()).log_softmax(1);
            parts.push_back(tail + head.select(1, band(0).size(0) + i - 1).unsqueeze(1));
        }
        return torch::cat(parts, 1);
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
    config.position.method = method;
    config.attention.backend = backend;
    config.train.length = golden.config["train_len"];
    auto model = make_language_model(config, 8);  // the token embedding is not used
    const std::map<std::string, std::string> theirs = {
        {"attention.q", "self_attn.q_proj"}, {"attention.k", "self_attn.k_proj"}, {"attention.v", "self_attn.v_proj"},
        {"attention.out", "self_attn.out_proj"}, {"norm1", "self_attn_layer_norm"}, {"norm2", "final_layer_norm"}, {"ffn.in", "fc1"},
        {"ffn.out", "fc2"}};
    const torch::NoGradGuard no_grad;
    for (const auto& stored : model->stored_tensors()) {
        if (stored.name == "position.weight") {
            stored.value.copy_(golden.weights.at("t5_relative_attention_bias.weight"));
        } else if (stored.name.starts_with("layers.")) {
            const auto place = stored.name.find('.', 7) + 1, kind = stored.name.rfind('.');
            stored.value.copy_(golden.weight(stored.name.substr(0, place) + theirs.at(stored.name.substr(place, kind - place)) +
                                             stored.name.substr(kind)));
        }
    }
    model->eval();
    return model;
}

class GoldenLayers : public testing::TestWithParam<std::tuple<std::string, std::string>> {};

TEST_P(GoldenLayers, LogProbabilitiesOfEveryWindow) {
    const auto& [method, backend] = GetParam();
    at::set_num_threads(1);  // thousands of tiny windows
    const Golden golden(method);
    const auto model = model_of(golden, method, backend);
    const torch::NoGradGuard no_grad;
    const auto targets = golden.expected.at("tokens");
    const auto count = targets.size(0);
    constexpr std::int64_t kBoundary = 2;
    const auto inputs = torch::cat({torch::full({1}, kBoundary, torch::kLong), targets.slice(0, 0, count - 1)});
    for (const auto& evaluation : golden.config["evals"]) {
        const std::int64_t length = evaluation[0], context = evaluation[1], stride = length - context;
        const auto expected = golden.expected.at("logprobs_L" + std::to_string(length) + "_ctx" + std::to_string(context));
        auto found = torch::empty({count});
        for (std::int64_t begin = 0; begin < count; begin += stride) {
            const auto end = std::min(begin + stride, count);
            const auto first = std::max<std::int64_t>({0, begin - context, end - length});
            const auto hidden = model->run_blocks(golden.embed(inputs.slice(0, first, end)))[0].slice(0, begin - first);
            const auto log_p = golden.log_probabilities(hidden);
            found.slice(0, begin, end).copy_(log_p.gather(1, targets.slice(0, begin, end).unsqueeze(1)).squeeze(1));
        }
        EXPECT_LT(test::largest_difference(found, expected), 2e-5) << "length " << length << " context " << context;
    }
}

INSTANTIATE_TEST_SUITE_P(Paper, GoldenLayers,
                         testing::Combine(testing::Values("alibi", "sinusoidal", "rotary", "t5"), testing::Values("sdpa", "reference")),
                         [](const auto& chosen) { return std::get<0>(chosen.param) + "_" + std::get<1>(chosen.param); });

TEST(GoldenT5, BucketsOfFarDistances) {
    const Golden golden("t5");
    const auto expected = golden.weights.at("t5_bucket_of_distance_0_4095");
    EXPECT_TRUE(t5_buckets(4096, 32, 128).equal(expected));
    EXPECT_TRUE(expected.slice(0, 128).eq(31).all().item<bool>());  // what the table's 129 columns rely on
}

}  // namespace
}  // namespace longbow
