// This file is compiled with OpenMP and without the shared precompiled header, because at::parallel_for runs in
// parallel only in files compiled with OpenMP.
#include "softmax_rows.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "vector_clones.h"

namespace longbow {

namespace {

// e^x for x <= 0 with a relative error of 2e-7, in steps that a compiler can vectorize; 0 below e^-87, NaN for NaN.
[[gnu::always_inline]] inline float exp_of(float x) {
    constexpr float kRounder = 12582912.0F;  // 1.5 * 2^23: adding it to a number rounds that to an integer
    constexpr float kLog2e = 1.44269504F;
    constexpr float kLn2High = 0.693145752F;  // few bits, so that n * kLn2High is exact
    constexpr float kLn2Low = 1.42860677e-6F;
    constexpr float kLowest = -87.0F;
    const float inside = x < kLowest ? kLowest : x;
    const float shifted = inside * kLog2e + kRounder;
    const float n = shifted - kRounder;
    const float r = inside - n * kLn2High - n * kLn2Low;
    // Taylor's series to r^7 on |r| <= ln2 / 2; the omitted terms are below 1e-8.
    float p = 1.0F / 5040.0F;
    p = p * r + 1.0F / 720.0F;
    p = p * r + 1.0F / 120.0F;
    p = p * r + 1.0F / 24.0F;
    p = p * r + 1.0F / 6.0F;
    p = p * r + 0.5F;
    p = p * r + 1.0F;
    p = p * r + 1.0F;
    // 2^n from its bits. std::bit_cast is not used because a function for another target would not be inlined here.
    constexpr std::uint32_t kRounderBits = 0x4B400000;
    constexpr std::uint32_t kBias = 127;
    std::uint32_t bits = 0;
    std::memcpy(&bits, &shifted, sizeof bits);
    bits = (bits - kRounderBits + kBias) << 23;
    float power = 0.0F;
    std::memcpy(&power, &bits, sizeof power);
    return x < kLowest ? 0.0F : p * power;
}

LONGBOW_VECTOR_CLONES float largest_of(const float* row, std::int64_t words) {
    float largest = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : largest)
    for (std::int64_t i = 0; i < words; ++i) {
        largest = row[i] > largest ? row[i] : largest;
    }
    return largest;
}

// The sum of e^(x - largest). The powers themselves are written to `powers` unless it is null. Stretches of kStretch
// words are summed separately, since a float sum would lose the small terms of a large vocabulary.
constexpr std::int64_t kStretch = 256;
LONGBOW_VECTOR_CLONES double sum_of_powers(const float* row, std::int64_t words, float largest, float* powers) {
    double total = 0.0;
    for (std::int64_t begin = 0; begin < words; begin += kStretch) {
        const auto end = std::min(begin + kStretch, words);
        float sum = 0.0F;
        if (powers == nullptr) {
#pragma omp simd reduction(+ : sum)
            for (std::int64_t i = begin; i < end; ++i) {
                sum += exp_of(row[i] - largest);
            }
        } else {
#pragma omp simd reduction(+ : sum)
            for (std::int64_t i = begin; i < end; ++i) {
                const float power = exp_of(row[i] - largest);
                powers[i] = power;
                sum += power;
            }
        }
        total += static_cast<double>(sum);
    }
    return total;
}

LONGBOW_VECTOR_CLONES void multiply(float* row, std::int64_t words, float factor) {
    for (std::int64_t i = 0; i < words; ++i) {
        row[i] *= factor;
    }
}

// Computes log p(target) of each row. If `gradient` is given, the rows there become p - onehot(target).
at::Tensor over_rows(const float* logits, float* gradient, const at::Tensor& rows, const at::Tensor& target) {
    const auto words = rows.size(1);
    const auto stride = rows.stride(0);
    const auto targets = target.contiguous();
    auto out = at::empty({rows.size(0), 1}, rows.options());
    const auto* wanted = targets.const_data_ptr<std::int64_t>();
    float* log_p = out.mutable_data_ptr<float>();
    constexpr std::int64_t kGrain = 1 << 15;  // elements that are worth another thread
    at::parallel_for(
        0, rows.size(0), std::max<std::int64_t>(1, kGrain / std::max<std::int64_t>(1, words)),
        [&](std::int64_t begin, std::int64_t end) {
            for (auto i = begin; i < end; ++i) {
                const float* row = logits + i * stride;
                TORCH_CHECK_INDEX(wanted[i] >= 0 && wanted[i] < words, "target ", wanted[i], " of ", words, " words");
                const float picked = row[wanted[i]];
                const float largest = largest_of(row, words);
                const double sum =
                    sum_of_powers(row, words, largest, gradient == nullptr ? nullptr : gradient + i * stride);
                log_p[i] = static_cast<float>(static_cast<double>(picked - largest) - std::log(sum));
                if (gradient != nullptr) {
                    multiply(gradient + i * stride, words, static_cast<float>(1.0 / sum));
                    gradient[i * stride + wanted[i]] -= 1.0F;
                }
            }
        });
    return out;
}

}  // namespace

bool softmax_rows_serves(const at::Tensor& logits) {
    return logits.device().is_cpu() && logits.scalar_type() == at::kFloat && logits.dim() == 2 && logits.stride(1) == 1;
}

at::Tensor log_likelihood(const at::Tensor& logits, const at::Tensor& target) {
    return over_rows(logits.const_data_ptr<float>(), nullptr, logits, target);
}

at::Tensor log_likelihood_and_gradient_(const at::Tensor& logits, const at::Tensor& target) {
    float* in_place = logits.mutable_data_ptr<float>();
    return over_rows(in_place, in_place, logits, target);
}

}  // namespace longbow
