// Defines Simd with sixteen floats per register, for AVX-512 F, BW, DQ and VL, which every server CPU with AVX-512 has.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace longbow::cpu {
namespace {

struct Simd {
    using Vec = __m512;
    static constexpr int kWidth = 16;
    static constexpr int kColumns = 4;      // width in vectors of the matrix product's register block
    static constexpr int kInterleaved = 8;  // vectors that are faster handled together than one after another

    static Vec zero() { return _mm512_setzero_ps(); }
    static Vec set(float x) { return _mm512_set1_ps(x); }
    static Vec load(const float* p) { return _mm512_loadu_ps(p); }
    static Vec load_part(const float* p, int n) { return _mm512_maskz_loadu_ps(lanes(n), p); }
    static void store(float* p, Vec v) { _mm512_storeu_ps(p, v); }
    static void store_part(float* p, Vec v, int n) { _mm512_mask_storeu_ps(p, lanes(n), v); }
    static Vec add(Vec a, Vec b) { return _mm512_add_ps(a, b); }
    static Vec sub(Vec a, Vec b) { return _mm512_sub_ps(a, b); }
    static Vec mul(Vec a, Vec b) { return _mm512_mul_ps(a, b); }
    static Vec fma(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
    static Vec max(Vec a, Vec b) { return _mm512_max_ps(a, b); }
    static float sum(Vec v) { return _mm512_reduce_add_ps(v); }
    static float largest(Vec v) { return _mm512_reduce_max_ps(v); }
    // Whether any lane of a is above b's, or either is NaN.
    static bool any_above_or_nan(Vec a, Vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_NLE_UQ) != 0; }
    static bool any_nan(Vec v) { return _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q) != 0; }

    // The parts of exp2_each (simd.h): fraction() returns x - round(x), scaled() returns p * 2^round(x).
    static Vec fraction(Vec x) { return _mm512_reduce_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
    static Vec scaled(Vec p, Vec x, Vec fraction) {
        return _mm512_maskz_scalef_ps(_mm512_cmp_ps_mask(x, set(kLeastPower), _CMP_NLT_UQ), p, sub(x, fraction));
    }

    // Returns v in the lanes whose byte is below `keep`, and 0 in the others.
    static Vec keep_if_below(Vec v, const std::uint8_t* bytes, int keep) {
        const __m512i wide = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes)));
        return _mm512_maskz_mov_ps(_mm512_cmplt_epi32_mask(wide, _mm512_set1_epi32(keep)), v);
    }

    // These convert n numbers, a multiple of 8, between fp32 and the 16-bit patterns of bf16 or fp16.
    static Vec widen_bf16(const std::uint16_t* p, int n) {
        return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes(n), p)), 16));
    }
    static Vec widen_f16(const std::uint16_t* p, int n) {
        return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(lanes(n), p));
    }
    static void narrow_bf16(std::uint16_t* p, Vec v, int n) {
#if defined(__AVX512BF16__)  // turns numbers below 2^-126 into 0
        _mm256_mask_storeu_epi16(p, lanes(n), reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(v)));
#else
        const __m512i bits = _mm512_castps_si512(v);
        const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
        const __m512i rounded =
            _mm512_srli_epi32(_mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7FFF)), odd), 16);
        const __m512i quiet =
            _mm512_mask_mov_epi32(rounded, _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q), _mm512_set1_epi32(0x7FC0));
        _mm256_mask_storeu_epi16(p, lanes(n), _mm512_cvtepi32_epi16(quiet));
#endif
    }
    static void narrow_f16(std::uint16_t* p, Vec v, int n) {
        _mm256_mask_storeu_epi16(p, lanes(n), _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    }

    // Transposes a 16 x 16 square.
    static void transpose(Vec (&v)[kWidth]) {
        __m512 t[16];
        for (int i = 0; i < 16; i += 2) {
            t[i] = _mm512_unpacklo_ps(v[i], v[i + 1]);
            t[i + 1] = _mm512_unpackhi_ps(v[i], v[i + 1]);
        }
        for (int i = 0; i < 16; i += 4) {
            v[i] = pairs<0x44>(t[i], t[i + 2]);
            v[i + 1] = pairs<0xEE>(t[i], t[i + 2]);
            v[i + 2] = pairs<0x44>(t[i + 1], t[i + 3]);
            v[i + 3] = pairs<0xEE>(t[i + 1], t[i + 3]);
        }
        for (int i = 0; i < 4; ++i) {
            t[i] = _mm512_shuffle_f32x4(v[i], v[i + 4], 0x88);
            t[i + 4] = _mm512_shuffle_f32x4(v[i], v[i + 4], 0xDD);
            t[i + 8] = _mm512_shuffle_f32x4(v[i + 8], v[i + 12], 0x88);
            t[i + 12] = _mm512_shuffle_f32x4(v[i + 8], v[i + 12], 0xDD);
        }
        for (int i = 0; i < 4; ++i) {
            v[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
            v[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xDD);
            v[i + 4] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0x88);
            v[i + 12] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0xDD);
        }
    }

private:
    static __mmask16 lanes(int n) { return static_cast<__mmask16>(n >= kWidth ? 0xFFFF : (1 << n) - 1); }
    template <int kSelect>
    static Vec pairs(Vec a, Vec b) {
        return _mm512_shuffle_ps(a, b, kSelect);
    }
};

}  // namespace
}  // namespace longbow::cpu
