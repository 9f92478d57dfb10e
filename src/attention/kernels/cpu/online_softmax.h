// Computes the online softmax of rows whose scores come a tile at a time. Each row has its largest score so far, the
// sum of its weights 2^(score - largest), and its values summed with these weights. All are rescaled when the largest
// score grows.
#pragma once

#include "arithmetic.h"
#include "bias_row.h"
#include "dropout_mask.h"
#include "scratch.h"

namespace longbow::cpu {
namespace {

template <class Arithmetic>
class OnlineSoftmax {
public:
    // `single`: weights are stored as one number per word, whatever Arithmetic packs, and only as far as each row sees.
    OnlineSoftmax(const longbow_attention& a, int width, bool single, Scratch& scratch)
        : scale_(a.scale * kLog2e), keep_(a.dropout_keep), width_(width), single_(single) {
        scores_ = scratch.take<float>(kTile * kTile);
        sums_ = scratch.take<float>(kTile * width_);
        weight_ = scratch.take<float>(kTile);
        tile_weight_ = scratch.take<float>(kTile * kWidth);
        largest_ = scratch.take<float>(kTile);
    }

    // Called before a head's first block: clears the sums of rows that may not exist, so that they hold numbers.
    void start_head() { __builtin_memset(tile_weight_, 0, sizeof(float) * kTile * kWidth); }
    void start_block() {
        __builtin_memset(sums_, 0, sizeof(float) * static_cast<std::size_t>(kTile * width_));
        __builtin_memset(weight_, 0, sizeof(float) * kTile);
        for (int i = 0; i < kTile; ++i) {
            largest_[i] = -__builtin_inff();
        }
    }

    [[nodiscard]] float scale() const { return scale_; }  // factor from raw scores to base 2
    // [kTile, kTile]: raw scores, which the caller fills in; after weigh_tile(), weights as a left operand.
    [[nodiscard]] float* scores() const { return scores_; }
    // [kTile, width]: the values summed with the weights; the caller adds each tile's product.
    [[nodiscard]] float* sums() const { return sums_; }
    [[nodiscard]] const float* largest() const { return largest_; }  // [kTile], -infinity while a row has seen nothing
    [[nodiscard]] const float* weight() const { return weight_; }    // [kTile]: each row's sum of weights

    // Replaces a tile's scores by weights for the first `rows` of the block's `all_rows`; the other rows skip the tile.
    // Row i sees vectors(i) vectors of the tile, at least as many as row i - 1; in a `whole` tile every row sees all.
    // Keys from `existing` on do not exist. bias_of(i) returns a row's biases, -infinity where it must not look.
    template <class VectorsOf, class BiasOf>
    void weigh_tile(int rows, int all_rows, bool whole, int existing, const VectorsOf& vectors, const BiasOf& bias_of,
                    const DropoutMask* mask) {
        mask_ = mask;
        int i = 0;
        for (; whole && i + kRows <= rows; i += kRows) {
            weigh<kRows>(Count<kVectors>{}, i, kTile, bias_of);
        }
        for (; i < rows; ++i) {
            const int count = vectors(i);
            if (count == 0) {
                Simd::store(tile_weight_ + i * kWidth, Simd::zero());
            }
            with_count<kVectors>(count, [&](auto known) { weigh<1>(known, i, existing, bias_of); });
            // The second product takes rows in groups, each as far as its last row sees. What the other rows of a group
            // do not see must therefore be 0.
            for (int v = (count + kPack - 1) / kPack;
                 !single_ && v * kPack < vectors(min_of(i + kRowGroup - 1, rows - 1)); ++v) {
                Simd::store(scores_ + i * kTile + v * kWidth, Simd::zero());
            }
        }
        for (; i < all_rows; ++i) {
            Simd::store(tile_weight_ + i * kWidth, Simd::zero());
        }
        add_weights(all_rows);
    }

private:
    static constexpr int kPack = Arithmetic::kPack;
    static constexpr int kWidth = Simd::kWidth;
    static constexpr int kVectors = kTile / kWidth;
    static constexpr int kRows = max_of(1, Simd::kInterleaved / kVectors);  // rows that are weighed together
    // A row is rescaled only when its scores exceed `largest` by more than 6, so its weights are at most 2^6. Its sums
    // stay far from overflow and lose no precision.
    static constexpr float kHeadroom = 6.0f;

    // Replaces the scores of rows first .. first + kTogether - 1, `count` vectors each, by weights 2^(score - largest).
    // Stores a vector of partial sums for each row in tile_weight_, and only then applies dropout, which does not
    // change the softmax denominator.
    template <int kTogether, class N, class BiasOf>
    void weigh(N count, int first, int existing, const BiasOf& bias_of) {
        const int n = count;
        Simd::Vec x[kTogether * N::kMaxCount];
        const Simd::Vec scale = Simd::set(scale_);
#pragma GCC unroll 2
        for (int r = 0; r < kTogether; ++r) {
            const int i = first + r;
            const float* bias = bias_of(i);
            Simd::Vec* row = x + r * n;
            Simd::Vec top = Simd::set(-__builtin_inff());
#pragma GCC unroll 16
            for (int v = 0; v < n; ++v) {
                row[v] = Simd::fma(Simd::load(scores_ + i * kTile + v * kWidth), scale, Simd::load(bias + v * kWidth));
                if ((v + 1) * kWidth > existing) {
                    row[v] = hide_from(row[v], existing - v * kWidth);
                }
                top = Simd::max(row[v], top);
            }
            if (Simd::any_above_or_nan(top, Simd::set(largest_[i] + kHeadroom))) {
                raise_largest(i, top);
            }
            const Simd::Vec largest =
                Simd::set(largest_[i] == -__builtin_inff() ? base_of_empty_row(i, row, n) : largest_[i]);
#pragma GCC unroll 16
            for (int v = 0; v < n; ++v) {
                row[v] = Simd::sub(row[v], largest);
            }
        }
        exp2_each(times<kTogether>(count), x);
#pragma GCC unroll 2
        for (int r = 0; r < kTogether; ++r) {
            const int i = first + r;
            Simd::Vec* row = x + r * n;
            Simd::Vec sum = Simd::zero();
#pragma GCC unroll 16
            for (int v = 0; v < n; ++v) {
                sum = Simd::add(sum, row[v]);
            }
            Simd::store(tile_weight_ + i * kWidth, sum);
            if (mask_ != nullptr) {
#pragma GCC unroll 16
                for (int v = 0; v < n; ++v) {
                    row[v] = Simd::keep_if_below(row[v], &mask_->bytes[i][v * kWidth], keep_);
                }
            }
            if (single_) {
                Single::store_row(count, scores_ + i * kTile, row);
            } else {
                Arithmetic::store_row(count, scores_ + i * kTile, row);
            }
        }
    }

    // Adds each row's weights in this tile to its sum as one number, as the matrix product does with the values.
    // Weights that are too small to count then leave the sum unchanged to the last bit, whether the tile is visited or
    // skipped.
    void add_weights(int rows) {
        for (int i = 0; i < rows; i += kWidth) {
            Simd::Vec x[kWidth];
#pragma GCC unroll 16
            for (int r = 0; r < kWidth; ++r) {
                x[r] = Simd::load(tile_weight_ + (i + r) * kWidth);
            }
            Simd::transpose(x);
#pragma GCC unroll 4
            for (int half = kWidth / 2; half > 0; half /= 2) {
#pragma GCC unroll 16
                for (int r = 0; r < half; ++r) {
                    x[r] = Simd::add(x[r], x[r + half]);
                }
            }
            Simd::store(weight_ + i, Simd::add(Simd::load(weight_ + i), x[0]));
        }
    }

    static Simd::Vec hide_from(Simd::Vec x, int lane) {
        float lanes[kWidth];
        Simd::store(lanes, x);
        for (int i = max_of(0, lane); i < kWidth; ++i) {
            lanes[i] = -__builtin_inff();
        }
        return Simd::load(lanes);
    }

    // Returns what is subtracted from row i's scores while it has seen no number: 0, so that its weights are
    // 2^-infinity = 0. The maximum ignores NaNs, but the output must show them: a row with a NaN counts as having seen
    // something.
    float base_of_empty_row(int i, const Simd::Vec* x, int count) {
        for (int v = 0; v < count; ++v) {
            if (Simd::any_nan(x[v])) {
                largest_[i] = 0.0f;
            }
        }
        return 0.0f;
    }

    void raise_largest(int i, Simd::Vec top) {
        const float highest = Simd::largest(top);
        const float before = largest_[i];
        if (!(highest > before)) {
            return;
        }
        largest_[i] = highest;
        if (before != -__builtin_inff()) {
            const Simd::Vec factor = exp2_of(Simd::set(before - highest));
            weight_[i] *= Simd::largest(factor);
            for (int d = 0; d < width_; d += kWidth) {
                Simd::store(sums_ + i * width_ + d, Simd::mul(Simd::load(sums_ + i * width_ + d), factor));
            }
        }
    }

    float scale_;
    int keep_, width_;
    bool single_;
    const DropoutMask* mask_ = nullptr;
    float *scores_, *sums_, *weight_, *tile_weight_, *largest_;
};

}  // namespace
}  // namespace longbow::cpu
