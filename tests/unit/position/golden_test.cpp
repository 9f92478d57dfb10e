// Compares rotary positions and ALiBi with numbers of independent programs.
#include <gtest/gtest.h>
#include <torch/types.h>

#include <string>
#include <utility>
#include <vector>

#include "longbow/core/error.h"
#include "longbow/position/position_method.h"
#include "position/alibi.h"
#include "position/rotate_pairs.h"
#include "unit/position/golden.h"
#include "unit/position/rotary_case.h"

namespace longbow {
namespace {

// Returns the heads' elements, of which the first `dim` are in interleaved pairs, with these in two halves.
at::Tensor in_halves(const at::Tensor& x, std::int64_t dim) {
    const auto pairs = x.narrow(-1, 0, dim).unflatten(-1, {dim / 2, 2}).transpose(-1, -2).flatten(-2);
    return torch::cat({pairs, x.narrow(-1, dim, x.size(-1) - dim)}, -1);
}

class RotaryGolden : public testing::TestWithParam<std::string> {};

TEST_P(RotaryGolden, FrequenciesAndRotations) {
    const test::PositionGolden golden(GetParam());
    std::int64_t compared = 0;
    for (const auto& [name, shared] : golden.settings.items()) {
        const auto heads = shared["heads"].get<std::int64_t>(), dim = shared["head_dim"].get<std::int64_t>();
        const auto positions = golden.tensors.at(name + ".positions");
        const auto train_length = shared["train_length"].get<std::int64_t>();
        for (const auto& [label, own] : shared.items()) {
            if (!own.is_object()) continue;
            const std::string prefix = name + "." + label + ".";
            for (const auto pairs : {RotaryPairs::interleaved, RotaryPairs::halves}) {
                SCOPED_TRACE(prefix + std::string(name_of(pairs)));
                auto [options, length] = test::rotary_case(GetParam(), shared, own);
                const auto rotated_dim = options.count("dim") > 0 ? std::get<std::int64_t>(options["dim"]) : dim;
                options["pairs"] = std::string(name_of(pairs));
                const auto method = make_position_method("rotary", {1, heads * dim, heads, train_length, options, dim});
                EXPECT_EQ(method->depends_on_length(),
                          GetParam() == "rotary_dynamic_ntk" || GetParam() == "rotary_longrope");
                const auto ordered = [&](const at::Tensor& x) {
                    return pairs == RotaryPairs::halves ? in_halves(x, rotated_dim) : x;
                };
                for (const auto type : {torch::kDouble, torch::kFloat}) {
                    const auto q = ordered(golden.tensors.at(name + ".q")).to(type).unsqueeze(0);
                    const auto k = ordered(golden.tensors.at(name + ".k")).to(type).unsqueeze(0);
                    const auto found =
                        method->rotate({.evaluated_length = length, .positions = positions, .q = q, .k = k});
                    // Positions reach 65,535, where a frequency that is off by its last bit turns by 7e-12 more.
                    const double tolerance = type == torch::kDouble ? 2e-11 : 1e-6;
                    EXPECT_LT(test::relative_error(found.q[0], ordered(golden.tensors.at(prefix + "q_rotated"))),
                              tolerance);
                    const auto k_rotated = golden.tensors.find(prefix + "k_rotated");
                    if (k_rotated != golden.tensors.end()) {
                        EXPECT_LT(test::relative_error(found.k[0], ordered(k_rotated->second)), tolerance);
                    }
                    ++compared;
                }
            }
        }
    }
    EXPECT_GE(compared, 8);
}

// The frequencies themselves, from the method's own function.
TEST_P(RotaryGolden, FrequenciesOfEachPair) {
    const test::PositionGolden golden(GetParam());
    for (const auto& [name, shared] : golden.settings.items()) {
        for (const auto& [label, own] : shared.items()) {
            if (!own.is_object()) continue;
            auto [options, length] = test::rotary_case(GetParam(), shared, own);
            const auto s = test::rotary_settings(options, shared);
            const auto expected = golden.tensors.at(name + "." + label + ".inv_freq");
            const auto found = rotary_frequencies(s, length, {});
            EXPECT_LT(test::relative_error(found.div(expected).nan_to_num(1), torch::ones_like(expected)), 1e-14)
                << name << " " << label;  // 0 / 0 where a pair stands still
            EXPECT_NEAR(rotary_attention_factor(s), own["attention_factor"].get<double>(), 1e-15) << label;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Files, RotaryGolden,
                         testing::Values("rotary_linear", "rotary_ntk", "rotary_dynamic_ntk", "rotary_yarn",
                                         "rotary_llama3", "rotary_longrope", "rotary_partial", "rotary_p_rope"));

TEST(AlibiGolden, SlopesAndBiases) {
    const test::PositionGolden golden("alibi_variants");
    for (const auto& [name, own] : golden.settings.items()) {
        const auto bias_max = own["bias_max"].get<double>();
        for (const auto& [key, expected] : golden.tensors) {
            const auto prefix = name + ".slopes_H";
            if (!key.starts_with(prefix)) continue;
            const auto found = alibi_slopes(std::stoll(key.substr(prefix.size())), SlopeRule::authors, bias_max);
            EXPECT_LT(test::relative_error(torch::tensor(found, torch::kDouble), expected), 1e-15) << key;
        }
        const auto heads = own["heads"].get<std::int64_t>();
        const auto method = make_position_method(
            "alibi", {1, heads * 8, heads, own["train_length"].get<std::int64_t>(), {{"bias_max", bias_max}}});
        const auto slopes = method->bias({}).slopes;
        EXPECT_LT(test::relative_error(slopes, golden.tensors.at(name + ".slopes")), 1e-15);
        const auto distance = golden.tensors.at(name + ".probe_i").sub(golden.tensors.at(name + ".probe_j"));
        const auto bias = slopes.unsqueeze(1).mul(distance).neg();
        EXPECT_LT(test::relative_error(bias, golden.tensors.at(name + ".probe_bias")), 1e-15);
    }
}

TEST(AlibiGolden, SlopesOfLongerWindows) {
    const test::PositionGolden golden("alibi_variants");
    for (const auto& [name, own] : golden.settings.items()) {
        const auto heads = own["heads"].get<std::int64_t>();
        for (const bool trainable : {false, true}) {
            const auto method = make_position_method(
                "alibi",
                {2,
                 heads * 8,
                 heads,
                 own["train_length"].get<std::int64_t>(),
                 {{"bias_max", own["bias_max"].get<double>()}, {"interpolate", true}, {"trainable", trainable}}});
            EXPECT_TRUE(method->depends_on_length());
            const auto& lengths = golden.tensors.at(name + ".interpolated_lengths");
            for (std::int64_t i = 0; i < lengths.size(0); ++i) {
                const auto length = lengths[i].item<std::int64_t>();
                // A generation's first call sees fewer keys than its last.
                const auto slopes = method->bias({.evaluated_length = length, .keys = 1}).slopes;
                EXPECT_LT(test::relative_error(slopes, golden.tensors.at(name + ".interpolated_slopes")[i]),
                          trainable ? 1e-6 : 1e-15)
                    << length;
            }
        }
    }
    EXPECT_THROW(make_position_method("alibi", {1, 16, 2, 0, {{"interpolate", true}}}), ConfigError);
}

// The parameter is the logarithm of a slope, whose gradient is the slope's own times the slope.
TEST(AlibiGolden, GradientsOfTrainedSlopes) {
    const test::PositionGolden golden("alibi_variants");
    for (const auto& [name, own] : golden.settings.items()) {
        for (const auto type : {torch::kDouble, torch::kFloat}) {
            const auto heads = own["heads"].get<std::int64_t>();
            const auto method = make_position_method(
                "alibi", {2, heads * 8, heads, 8, {{"bias_max", own["bias_max"].get<double>()}, {"trainable", true}}});
            method->to(type);
            EXPECT_TRUE(method->bias_differs_by_layer());
            const auto expected = golden.tensors.at(name + ".slopes").to(torch::kDouble);
            const auto parameter = method->named_parameters()["log_slopes"];
            EXPECT_LT(test::relative_error(parameter.exp(), expected.expand({2, heads})), 1e-6) << "at first";
            {
                const torch::NoGradGuard no_grad;
                parameter.copy_(expected.log().expand({2, heads}));
            }
            const auto& upstream = golden.tensors.at(name + ".upstream");
            const auto place = torch::arange(upstream.size(1));
            const auto distance = place.unsqueeze(1).sub(place).clamp_min(0);
            const auto slopes = method->bias({.layer = 1}).slopes;
            slopes.view({-1, 1, 1}).mul(distance).neg().mul(upstream.to(type)).sum().backward();
            const auto& gradient = golden.tensors.at(name + ".grad_slopes");
            EXPECT_LT(test::relative_error(parameter.grad()[1], gradient.mul(expected)),
                      type == torch::kDouble ? 1e-11 : 1e-5);
            EXPECT_EQ(parameter.grad()[0].abs().max().item<double>(), 0.0) << "another layer";
        }
    }
}

}  // namespace
}  // namespace longbow
