// Holds the models that tests of exports plan to write.
#pragma once

#include <string>

#include "longbow/config/config.h"
#include "longbow/core/error.h"

namespace longbow::test {

inline constexpr std::int64_t kWords = 40;

inline OptionMap options_of(const std::string& method) {
    if (method == "alibi")
        return {{"slopes", std::string("authors")},
                {"slope_scale", 1.0},
                {"bias_max", 8.0},
                {"rounding", std::string("none")}};
    if (method == "learned") return {{"max_length", std::int64_t{0}}, {"offset", std::int64_t{0}}};
    if (method == "rotary")
        return {{"base", 10000.0},         {"pairs", std::string("interleaved")},
                {"dim", std::int64_t{0}},  {"scaling", std::string("none")},
                {"factor", 1.0},           {"original_length", std::int64_t{0}},
                {"low_freq_factor", 1.0},  {"high_freq_factor", 4.0},
                {"beta_fast", 32.0},       {"beta_slow", 1.0},
                {"attention_factor", 0.0}, {"mscale", 0.0},
                {"mscale_all_dim", 0.0},   {"truncate", true}};
    if (method == "t5") return {{"buckets", std::int64_t{32}}};
    return {};
}

// Longbow's defaults, without the scale of the embedding, which few classes have.
inline Config config_of(const std::string& method, NormKind norm, Activation activation, bool bias,
                        std::int64_t heads = 4) {
    Config config;
    config.model.layers = 2;
    config.model.dim = 24;
    config.model.heads = heads;
    config.model.ffn_dim = 96;
    config.model.norm = norm;
    config.model.activation = activation;
    config.model.bias = bias;
    config.model.embedding_scale = EmbeddingScale::none;
    config.position.method = method;
    config.position.options = options_of(method);
    config.train.length = 32;
    return config;
}

// Returns the message with which an export is refused, or what it was exported to.
template <class Export>
std::string refusal_of(Export exported) {
    try {
        return "it was exported to " + exported();
    } catch (const CheckpointError& error) {
        return error.what();
    }
}

}  // namespace longbow::test
