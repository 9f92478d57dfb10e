// Makes models small enough for tests that run in milliseconds.
#pragma once

#include <torch/types.h>
#include <torch/utils.h>

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "longbow/config/config.h"
#include "longbow/model/language_model.h"
#include "longbow/position/position_method.h"

namespace longbow::test {

constexpr std::int64_t kVocab = 37;

// Returns the names of all position methods of this build, including a user's own.
inline std::vector<std::string> every_method() {
    std::vector<std::string> names;
    for (const auto& entry : position_methods()) names.push_back(entry.name);
    return names;
}

inline Config tiny_config(const std::string& method = "alibi", const std::string& dtype = "fp64") {
    Config config;
    config.model.layers = 2;
    config.model.dim = 24;
    config.model.heads = 3;
    config.model.ffn_dim = 40;
    config.model.dropout = 0.0;
    config.position.method = method;
    config.train.length = 16;
    config.train.loss_chunk = 10;
    config.train.dtype = choice_named<DType>(dtype).value();
    if (method == "learned") {
        config.position.options["max_length"] = std::int64_t{64};
    }
    return config;
}

inline std::shared_ptr<LanguageModel> tiny_model(const Config& config, std::uint64_t seed = 5) {
    torch::manual_seed(seed);
    return make_language_model(config, kVocab);
}

inline at::Tensor random_tokens(std::int64_t batch, std::int64_t length) {
    return torch::randint(kVocab, {batch, length}, torch::kLong);
}

inline double largest_difference(const at::Tensor& a, const at::Tensor& b) {
    const auto difference = a.to(torch::kDouble).sub(b.to(torch::kDouble)).abs();
    // A NaN must not pass as a small number.
    return difference.isnan().any().item<bool>() ? std::numeric_limits<double>::infinity()
                                                 : difference.max().item<double>();
}

}  // namespace longbow::test
