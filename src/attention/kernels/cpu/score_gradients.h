// Does the backward pass's work between its matrix products: it makes weights from the scores of a tile, and gradients
// of the scores from the gradients of the weights (weight * (gradient - out . dout)). Both become left operands of the
// three products that follow.
#pragma once

#include "arithmetic.h"
#include "bias_row.h"
#include "dropout_mask.h"
#include "exact_dot.h"
#include "product.h"
#include "scratch.h"

namespace longbow::cpu {
namespace {

template <class Arithmetic>
class ScoreGradients {
public:
    // Rows that are handled together, as far as the last of them sees.
    static constexpr int kRows = max_of(Arithmetic::kPack, Simd::kInterleaved / (kTile / Simd::kWidth));

    // keep_rows: the caller reads gradients() afterwards.
    ScoreGradients(const longbow_attention& a, bool keep_rows, Scratch& scratch)
        : scale_(a.scale * kLog2e), keep_(a.dropout_keep), keep_rows_(keep_rows) {
        scores_ = scratch.take<float>(kTile * kTile);
        gradients_ = scratch.take<float>(kTile * kTile);
        if constexpr (kPack > 1) {
            weights_across_ = scratch.take<float>(kTile * kTile / kPack);
            gradients_across_ = scratch.take<float>(kTile * kTile / kPack);
            gradients_along_ = scratch.take<float>(kTile * kTile / kPack);
        }
    }

    // Buffers [kTile, kTile] that the caller fills with q.k and dout.v, for each kRows rows as far as the last of them
    // sees.
    [[nodiscard]] float* scores() const { return scores_; }
    [[nodiscard]] float* weight_gradients() const { return gradients_; }

    // The gradients of the scores, which differentiate() stores in place of those of the weights.
    [[nodiscard]] const float* gradients() const { return gradients_; }
    // Left operands with keys as rows and queries as depth: the weights that dropout kept, and the gradients of the
    // scores.
    [[nodiscard]] Left weights_by_key() const { return {kPack > 1 ? weights_across_ : scores_, 1, kTile}; }
    [[nodiscard]] Left gradients_by_key() const { return {kPack > 1 ? gradients_across_ : gradients_, 1, kTile}; }
    // The gradients of the scores with queries as rows and keys as depth.
    [[nodiscard]] Left gradients_by_query() const {
        return {kPack > 1 ? gradients_along_ : gradients_, kTile / kPack, 1};
    }

    // Row i of `rows` sees vectors(i) vectors of keys, at least as many as row i - 1, and no key from `existing` on.
    // bias_of(i) returns its biases; lse and delta, [rows], are its log-sum (base 2) and its out . dout. What a row
    // does not see becomes 0 in all operands.
    template <class VectorsOf, class BiasOf>
    void differentiate(int rows, int existing, const VectorsOf& vectors, const BiasOf& bias_of, const float* lse,
                       const TwoFloats* delta, const DropoutMask* mask) {
        mask_ = mask;
        for (int i = 0; i < rows; i += kRows) {
            const int last = min_of(i + kRows, rows) - 1;
            const int seen = vectors(last);
            with_count<kVectors>(seen, [&](auto count) {
                Row row[kRows];
                for (int r = 0; r < kRows; ++r) {
                    const int at = min_of(i + r, last);
                    row[r] = {at, bias_of(at), Simd::set(lse[at]), Simd::set(delta[at].high), Simd::set(delta[at].low)};
                }
                differentiate_rows(count, i, last, existing, row);
            });
            for (int v = seen; v < kVectors; ++v) {
                clear(i, last, v);
            }
        }
    }

private:
    static constexpr int kPack = Arithmetic::kPack;
    static constexpr int kWidth = Simd::kWidth;
    static constexpr int kVectors = kTile / kWidth;

    struct Row {
        int i;
        const float* bias;
        Simd::Vec lse, delta, delta_low;
    };
    struct Vectors {
        Simd::Vec weight, gradient;
    };

    // Handles rows first .. last, kRows of them or, at the end, fewer; `count` is the number of vectors that the last
    // one sees.
    template <class N>
    void differentiate_rows(N count, int first, int last, int existing, const Row (&row)[kRows]) {
        const int n = count;
        Simd::Vec weights[kRows * N::kMaxCount];
#pragma GCC unroll 2
        for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
            for (int v = 0; v < n; ++v) {
                const Simd::Vec score = Simd::load(scores_ + row[r].i * kTile + v * kWidth);
                weights[r * n + v] =
                    Simd::sub(Simd::fma(score, Simd::set(scale_), Simd::load(row[r].bias + v * kWidth)), row[r].lse);
            }
        }
        exp2_each(times<kRows>(count), weights);
        const Vectors none{Simd::zero(), Simd::zero()};
#pragma GCC unroll 16
        for (int v = 0; v < n; v += kPack) {
            Vectors x[kRows][kPack];
#pragma GCC unroll 2
            for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
                for (int ahead = 0; ahead < kPack; ++ahead) {
                    const bool here = first + r <= last && v + ahead < n;
                    x[r][ahead] =
                        here ? differentiate_vector(row[r], weights[r * n + v + ahead], (v + ahead) * kWidth, existing)
                             : none;
                }
            }
            if constexpr (kPack == 1) {
                store_rows(first, last, v, x);
            } else {
                store_pairs(first, last, v, x);
            }
        }
    }

    Vectors differentiate_vector(const Row& row, Simd::Vec weight, int at, int existing) const {
        Simd::Vec gradient = Simd::load(gradients_ + row.i * kTile + at);
        if (at + kWidth > existing) {
            weight = clear_from(weight, existing - at);
        }
        Simd::Vec passed = weight;
        if (mask_ != nullptr) {
            const std::uint8_t* bytes = &mask_->bytes[row.i][at];
            gradient =
                Simd::mul(Simd::keep_if_below(gradient, bytes, keep_), Simd::set(256.0f / static_cast<float>(keep_)));
            passed = Simd::keep_if_below(weight, bytes, keep_);
        }
        return {passed, Simd::mul(weight, Simd::sub(Simd::sub(gradient, row.delta), row.delta_low))};
    }

    // Stores vector v of each row.
    void store_rows(int first, int last, int v, const Vectors (&x)[kRows][kPack]) {
        for (int i = first; i <= last; ++i) {
            Simd::store(scores_ + i * kTile + v * kWidth, x[i - first][0].weight);
            Simd::store(gradients_ + i * kTile + v * kWidth, x[i - first][0].gradient);
        }
    }

    // Stores vectors v and v + 1 of two rows.
    void store_pairs(int first, int last, int v, const Vectors (&x)[kRows][kPack]) {
        static_assert(kPack == 1 || (kPack == 2 && kRows == 2));
#pragma GCC unroll 2
        for (int ahead = 0; ahead < kPack; ++ahead) {
            const int to = first / kPack * kTile + (v + ahead) * kWidth;
            Simd::store(weights_across_ + to, Arithmetic::pairs_across(x[0][ahead].weight, x[1][ahead].weight));
            Simd::store(gradients_across_ + to, Arithmetic::pairs_across(x[0][ahead].gradient, x[1][ahead].gradient));
        }
#pragma GCC unroll 2
        for (int r = 0; r < kPack; ++r) {
            const int to = (first + r) * (kTile / kPack) + v / kPack * kWidth;
            Simd::store(gradients_along_ + to, Arithmetic::pairs_along(x[r][0].gradient, x[r][1].gradient));
        }
        if (keep_rows_) {
            for (int i = first; i <= last; ++i) {
                for (int ahead = 0; ahead < kPack; ++ahead) {
                    Simd::store(gradients_ + i * kTile + (v + ahead) * kWidth, x[i - first][ahead].gradient);
                }
            }
        }
    }

    // Clears vector v of rows first .. last in all operands. gradients_along_ packs kPack vectors into one, which is
    // cleared with the first of them; if v is not the first, differentiate_rows() has already stored zeros for it.
    void clear(int first, int last, int v) {
        if constexpr (kPack == 1) {
            for (int i = first; i <= last; ++i) {
                Simd::store(scores_ + i * kTile + v * kWidth, Simd::zero());
            }
        } else {
            Simd::store(weights_across_ + first / kPack * kTile + v * kWidth, Simd::zero());
            Simd::store(gradients_across_ + first / kPack * kTile + v * kWidth, Simd::zero());
            for (int i = first; i <= last && v % kPack == 0; ++i) {
                Simd::store(gradients_along_ + i * (kTile / kPack) + v / kPack * kWidth, Simd::zero());
            }
        }
        if (kPack == 1 || keep_rows_) {
            for (int i = first; i <= last; ++i) {
                Simd::store(gradients_ + i * kTile + v * kWidth, Simd::zero());
            }
        }
    }

    static Simd::Vec clear_from(Simd::Vec x, int lane) {
        float lanes[kWidth];
        Simd::store(lanes, x);
        for (int i = max_of(0, lane); i < kWidth; ++i) {
            lanes[i] = 0.0f;
        }
        return Simd::load(lanes);
    }

    float scale_;
    int keep_;
    bool keep_rows_;
    const DropoutMask* mask_ = nullptr;
    float *scores_, *gradients_;
    float *weights_across_ = nullptr, *gradients_across_ = nullptr, *gradients_along_ = nullptr;
};

}  // namespace
}  // namespace longbow::cpu
