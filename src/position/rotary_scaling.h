// Computes the frequencies of rotary positions: those of the first paper, and those that stretch a trained model to
// longer inputs.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "longbow/core/choice.h"

namespace longbow {

enum class RotaryScaling { none, linear, dynamic, yarn, llama3, longrope };
template <>
struct ChoiceTable<RotaryScaling> {
    static constexpr Choice<RotaryScaling> values[] = {
        {RotaryScaling::none, "none", "the frequencies of base"},
        {RotaryScaling::linear, "linear", "all divided by factor (Chen et al. 2023, position interpolation)"},
        {RotaryScaling::dynamic, "dynamic",
         "a larger base for windows above original_length, a base a window (dynamic NTK)"},
        {RotaryScaling::yarn, "yarn",
         "low ones divided by factor, high ones kept, and scores multiplied (Peng et al. 2024)"},
        {RotaryScaling::llama3, "llama3", "as yarn, but by wavelength and without a factor on the scores (Llama 3.1)"},
        {RotaryScaling::longrope, "longrope",
         "each pair divided by a number of its own, from a list for windows up to original_length and another for "
         "longer ones, and scores multiplied (Ding et al. 2024)"}};
};

// The options of the method of the same names, with defaults filled in: `dim` and `original_length` are above 0.
struct RotarySettings {
    double base = 10000.0;
    std::int64_t dim = 0;  // rotated elements of a head
    RotaryScaling scaling = RotaryScaling::none;
    double factor = 1.0;
    std::int64_t original_length = 0;
    double low_freq_factor = 1.0, high_freq_factor = 4.0;
    double beta_fast = 32.0, beta_slow = 1.0;
    double attention_factor = 0.0;              // 0: by the formula
    double mscale = 0.0, mscale_all_dim = 0.0;  // 0: unset
    bool truncate = true;
    std::vector<double> short_factors{}, long_factors{};  // longrope's divisors, one a pair each
    double share = 1.0;                                   // of the pairs that turn, those with the highest frequencies
};

// Returns the angle of each pair of elements at position 1, [dim / 2] fp64 on the device of `options`, for a window of
// `evaluated_length` tokens. Only dynamic and longrope read the length. Pairs beyond the share have an angle of 0
// (p-RoPE: Barbero et al., 2025, section 6).
at::Tensor rotary_frequencies(const RotarySettings& settings, std::int64_t evaluated_length,
                              const at::TensorOptions& options);

// Returns the factor on rotated queries and keys; scores get its square. It is 1 with every scaling but yarn
// and longrope.
double rotary_attention_factor(const RotarySettings& settings);

}  // namespace longbow
