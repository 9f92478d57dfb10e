// Defines Simd with eight floats per register, for AVX2, FMA and F16C. simd_avx512.h says what the functions do.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace longbow::cpu {
namespace {

struct Simd {
    using Vec = __m256;
    static constexpr int kWidth = 8;
    static constexpr int kColumns = 2;
    static constexpr int kInterleaved = 4;

    static Vec zero() { return _mm256_setzero_ps(); }
    static Vec set(float x) { return _mm256_set1_ps(x); }
    static Vec load(const float* p) { return _mm256_loadu_ps(p); }
    static Vec load_part(const float* p, int) { return load(p); }  // whole vectors suffice: head_dim is a multiple of 8
    static void store(float* p, Vec v) { _mm256_storeu_ps(p, v); }
    static void store_part(float* p, Vec v, int) { store(p, v); }
    static Vec add(Vec a, Vec b) { return _mm256_add_ps(a, b); }
    static Vec sub(Vec a, Vec b) { return _mm256_sub_ps(a, b); }
    static Vec mul(Vec a, Vec b) { return _mm256_mul_ps(a, b); }
    static Vec fma(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
    static Vec max(Vec a, Vec b) { return _mm256_max_ps(a, b); }
    static float sum(Vec v) {
        const __m128 four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
        const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
    }
    static float largest(Vec v) {
        const __m128 four = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
        const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
        return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
    }
    static bool any_above_or_nan(Vec a, Vec b) { return _mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_NLE_UQ)) != 0; }
    static bool any_nan(Vec v) { return _mm256_movemask_ps(_mm256_cmp_ps(v, v, _CMP_UNORD_Q)) != 0; }

    static Vec fraction(Vec x) { return sub(x, _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)); }
    static Vec scaled(Vec p, Vec x, Vec fraction) {
        const __m256i power = _mm256_slli_epi32(_mm256_cvtps_epi32(sub(x, fraction)), 23);
        const Vec product = _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), power));
        const Vec kept = _mm256_and_ps(product, _mm256_cmp_ps(x, set(kLeastPower), _CMP_NLT_UQ));
        return _mm256_or_ps(kept, _mm256_cmp_ps(x, x, _CMP_UNORD_Q));  // a lane with all bits set is a NaN
    }

    static Vec keep_if_below(Vec v, const std::uint8_t* bytes, int keep) {
        const __m256i wide = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(bytes)));
        return _mm256_and_ps(v, _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(keep), wide)));
    }

    static Vec widen_bf16(const std::uint16_t* p, int) {
        return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half(p)), 16));
    }
    static Vec widen_f16(const std::uint16_t* p, int) { return _mm256_cvtph_ps(half(p)); }
    static void narrow_bf16(std::uint16_t* p, Vec v, int) {
        const __m256i bits = _mm256_castps_si256(v);
        const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
        const __m256i rounded =
            _mm256_srli_epi32(_mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7FFF)), odd), 16);
        const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
        const __m256i quiet = _mm256_blendv_epi8(rounded, _mm256_set1_epi32(0x7FC0), nan);
        const __m128i low = _mm_packus_epi32(_mm256_castsi256_si128(quiet), _mm256_extracti128_si256(quiet, 1));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(p), low);
    }
    static void narrow_f16(std::uint16_t* p, Vec v, int) {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                         _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    }

    static void transpose(Vec (&v)[kWidth]) {
        __m256 t[8];
        for (int i = 0; i < 8; i += 2) {
            t[i] = _mm256_unpacklo_ps(v[i], v[i + 1]);
            t[i + 1] = _mm256_unpackhi_ps(v[i], v[i + 1]);
        }
        for (int i = 0; i < 8; i += 4) {
            v[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
            v[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xEE);
            v[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
            v[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xEE);
        }
        for (int i = 0; i < 4; ++i) {
            t[i] = _mm256_permute2f128_ps(v[i], v[i + 4], 0x20);
            t[i + 4] = _mm256_permute2f128_ps(v[i], v[i + 4], 0x31);
        }
        for (int i = 0; i < 8; ++i) {
            v[i] = t[i];
        }
    }

private:
    static __m128i half(const std::uint16_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
};

}  // namespace
}  // namespace longbow::cpu
