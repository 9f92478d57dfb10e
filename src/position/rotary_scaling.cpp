#include "rotary_scaling.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace longbow {

namespace {

constexpr double kTurn = 2 * std::numbers::pi;

at::Tensor plain(double base, std::int64_t dim, const at::TensorOptions& options) {
    const auto pairs = at::arange(dim / 2, options.dtype(at::kDouble));
    return pairs.mul(-2.0 * std::log(base) / static_cast<double>(dim)).exp();
}

// The base grows with the window's length, for all of its positions.
at::Tensor dynamic(const RotarySettings& s, std::int64_t evaluated_length, const at::TensorOptions& options) {
    // A single pair turns by 1 at every base.
    if (evaluated_length <= s.original_length || s.dim == 2) return plain(s.base, s.dim, options);
    const auto dim = static_cast<double>(s.dim);
    const double stretch =
        s.factor * static_cast<double>(evaluated_length) / static_cast<double>(s.original_length) - (s.factor - 1.0);
    return plain(s.base * std::pow(stretch, dim / (dim - 2.0)), s.dim, options);
}

at::Tensor yarn(const RotarySettings& s, const at::TensorOptions& options) {
    const auto dim = static_cast<double>(s.dim);
    // Returns the number of the pair (not whole) that turns so many times in original_length tokens.
    const auto pair_of = [&](double turns) {
        return dim * std::log(static_cast<double>(s.original_length) / (kTurn * turns)) / (2.0 * std::log(s.base));
    };
    double low = pair_of(s.beta_fast), high = pair_of(s.beta_slow);
    if (s.truncate) {
        low = std::floor(low);
        high = std::ceil(high);
    }
    low = std::max(low, 0.0);
    high = std::min(high, dim - 1.0);
    if (low == high) high += 0.001;
    const auto ramp = at::arange(s.dim / 2, options.dtype(at::kDouble)).sub(low).div(high - low).clamp(0.0, 1.0);
    const auto kept = plain(s.base, s.dim, options);
    return kept.div(s.factor).mul(ramp).add(kept.mul(ramp.neg().add(1.0)));
}

at::Tensor llama3(const RotarySettings& s, const at::TensorOptions& options) {
    const auto length = static_cast<double>(s.original_length);
    const auto kept = plain(s.base, s.dim, options);
    const auto divided = kept.div(s.factor);
    const auto wavelength = kept.reciprocal().mul(kTurn);
    const auto smooth =
        wavelength.reciprocal().mul(length).sub(s.low_freq_factor).div(s.high_freq_factor - s.low_freq_factor);
    const auto between = divided.mul(smooth.neg().add(1.0)).add(kept.mul(smooth));
    return at::where(wavelength.gt(length / s.low_freq_factor), divided,
                     at::where(wavelength.lt(length / s.high_freq_factor), kept, between));
}

at::Tensor longrope(const RotarySettings& s, std::int64_t evaluated_length, const at::TensorOptions& options) {
    const auto& divisors = evaluated_length <= s.original_length ? s.short_factors : s.long_factors;
    return plain(s.base, s.dim, options).div(at::tensor(divisors, options.dtype(at::kDouble)));
}

// Returns the factor of YaRN's section 3.4, which makes up for the softer attention of more keys.
double length_factor(double factor, double mscale) {
    return factor <= 1.0 ? 1.0 : 0.1 * mscale * std::log(factor) + 1.0;
}

at::Tensor scaled(const RotarySettings& settings, std::int64_t evaluated_length, const at::TensorOptions& options) {
    switch (settings.scaling) {
        case RotaryScaling::none: break;
        case RotaryScaling::linear: return plain(settings.base, settings.dim, options).div(settings.factor);
        case RotaryScaling::dynamic: return dynamic(settings, evaluated_length, options);
        case RotaryScaling::yarn: return yarn(settings, options);
        case RotaryScaling::llama3: return llama3(settings, options);
        case RotaryScaling::longrope: return longrope(settings, evaluated_length, options);
    }
    return plain(settings.base, settings.dim, options);
}

}  // namespace

at::Tensor rotary_frequencies(const RotarySettings& settings, std::int64_t evaluated_length,
                              const at::TensorOptions& options) {
    auto frequencies = scaled(settings, evaluated_length, options);
    const auto pairs = frequencies.size(0);
    const auto turning = static_cast<std::int64_t>(std::floor(settings.share * static_cast<double>(pairs)));
    if (turning < pairs) frequencies.narrow(0, turning, pairs - turning).zero_();
    return frequencies;
}

double rotary_attention_factor(const RotarySettings& s) {
    if (s.scaling == RotaryScaling::longrope)
        return std::sqrt(1.0 + std::log(s.factor) / std::log(static_cast<double>(s.original_length)));
    if (s.scaling != RotaryScaling::yarn) return 1.0;
    if (s.attention_factor > 0) return s.attention_factor;
    if (s.mscale > 0 && s.mscale_all_dim > 0)
        return length_factor(s.factor, s.mscale) / length_factor(s.factor, s.mscale_all_dim);
    return length_factor(s.factor, 1.0);
}

}  // namespace longbow
