// The forward pass of blocks of queries: online softmax over tiles of 64 x 64 scores, walking left from the diagonal, so that the
// largest score is met early and later tiles seldom rescale what is summed.
#pragma once

#include "bias_row.h"
#include "dropout_mask.h"
#include "few_queries.h"
#include "narrowing.h"
#include "prefetch.h"
#include "product.h"
#include "scratch.h"

namespace longbow::cpu {
namespace {

template <class T>
class Forward {
public:
    Forward(const longbow_attention& a, Scratch& scratch)
        : a_(a), width_(padded(a.head_dim)), scale_(a.scale * kLog2e), few_(a.query_length <= kFew), narrowing_(a, scratch) {
        const int key_blocks = blocks_of(a.key_length);
        queries_ = scratch.take<float>(kTile * width_);
        scores_ = scratch.take<float>(kTile * kTile);
        sums_ = scratch.take<float>(kTile * width_);
        weight_ = scratch.take<float>(kTile);
        tile_weight_ = scratch.take<float>(kTile * Simd::kWidth);
        largest_ = scratch.take<float>(kTile);
        bias_data_ = scratch.take<float>(BiasRow::size(a));
        mask_ = a.dropout_keep < 256 ? scratch.take<DropoutMask>(1) : nullptr;
        packed_ = scratch.take<std::uint8_t>(key_blocks);
        keys_size_ = std::int64_t{a.head_dim / kPack} * kTile;
        values_size_ = std::int64_t{kTile / kPack} * width_;
        keys_ = few_ ? nullptr : scratch.take<float>(key_blocks * keys_size_);
        values_ = few_ ? nullptr : scratch.take<float>(key_blocks * values_size_);
    }

    // Query blocks [begin, end) of the row of all blocks of all heads.
    void run(std::int64_t begin, std::int64_t end) {
        const int blocks = blocks_of(a_.query_length);
        for (std::int64_t i = begin; i < end; ++i) {
            const auto batch_head = static_cast<int>(i / blocks);
            const auto block = static_cast<int>(i % blocks);
            if (batch_head != batch_head_) {
                start_head(batch_head);
            }
            if (i + 1 < end) {
                expect(static_cast<int>((i + 1) / blocks), static_cast<int>((i + 1) % blocks));
            }
            query_block(block);
            next_.fetch(kAllLines);
        }
    }

private:
    using Arithmetic = typename ArithmeticOf<T>::Type;
    static constexpr int kPack = Arithmetic::kPack;
    static constexpr int kWidth = Simd::kWidth;
    static constexpr int kVectors = kTile / kWidth;
    static constexpr int kRows = most(1, Simd::kInStep / kVectors);  // weighed together
    static constexpr int kSomeLines = 256, kAllLines = 1 << 20;
    // A row is rescaled only when its scores grow by more than 2^6: sums stay far from overflow, and lose no precision.
    static constexpr float kHeadroom = 6.0f;

    void start_head(int batch_head) {
        batch_head_ = batch_head;
        batch_ = batch_head / a_.heads;
        head_ = batch_head % a_.heads;
        window_ = window_of(a_, batch_);
        bias_.fill(a_, batch_, head_, bias_data_);
        narrowing_.start_head(batch_, head_);
        __builtin_memset(tile_weight_, 0, sizeof(float) * kTile * kWidth);  // numbers, also where no row is
        __builtin_memset(packed_, 0, static_cast<std::size_t>(blocks_of(a_.key_length)));
    }

    // What the next block of queries begins with.
    void expect(int batch_head, int block) {
        const int batch = batch_head / a_.heads;
        const int head = batch_head % a_.heads;
        const BlockRange range = visible_blocks(a_, batch, head, block);
        const int last_block = most(0, range.end - 1);
        const int begin = block * kTile;
        const int end = least(begin + kTile, a_.query_length);
        next_.clear();
        next_.add(a_.q, batch, head, begin, end, a_.head_dim, false);
        if (batch_head != batch_head_ || packed_[last_block] == 0) {
            const int first = last_block * kTile;
            const int last = least(first + kTile, a_.key_length);
            next_.add(a_.k, batch, head, first, last, a_.head_dim, false);
            next_.add(a_.v, batch, head, first, last, a_.head_dim, false);
        }
        next_.add(a_.out, batch, head, begin, end, a_.head_dim, true);
    }

    void query_block(int block) {
        const int begin = block * kTile;
        const int rows = least(kTile, a_.query_length - begin);
        const BlockRange range = visible_blocks(a_, batch_, head_, block);
        if (range.begin < range.end) {
            const auto queries = rows_of<const T>(a_.q, batch_, head_);
            if (few_) {
                copy_tile(queries, begin, begin + rows, a_.head_dim, queries_);
            } else {
                Arithmetic::copy_left(queries, begin, begin + rows, a_.head_dim, queries_);
            }
            __builtin_memset(sums_, 0, sizeof(float) * static_cast<std::size_t>(kTile * width_));
            __builtin_memset(weight_, 0, sizeof(float) * kTile);
            for (int i = 0; i < kTile; ++i) {
                largest_[i] = -__builtin_inff();
            }
            visit(range, block, rows);
        } else if (a_.visited_from != nullptr) {
            __builtin_memset(visited_of(block), 0, sizeof(std::int32_t) * kRowGroups);
        }
        write(begin, rows, range.begin < range.end);
    }

    [[nodiscard]] std::int32_t* visited_of(int block) const {
        return a_.visited_from + (std::int64_t{batch_head_} * blocks_of(a_.query_length) + block) * kRowGroups;
    }

    void visit(const BlockRange& range, int block, int rows) {
        narrowing_.start_block();
        int first = range.begin;
        std::int32_t visited[kRowGroups];
        for (auto& group : visited) {
            group = range.end - 1;
        }
        for (int key_block = range.end - 1; key_block >= first; --key_block) {
            const int counting = tile(block, key_block, rows);
            for (int group = 0; group * kRowGroup < counting; ++group) {
                visited[group] = key_block;
            }
            if (narrowing_.ripe(range, key_block)) {
                first = narrowing_.settle(rows_of<const T>(a_.q, batch_, head_), block * kTile, rows, window_.offset + block * kTile,
                                          window_.keys, largest_, weight_, first, key_block);
            }
        }
        if (a_.visited_from != nullptr) {
            __builtin_memcpy(visited_of(block), visited, sizeof visited);
        }
    }

    void pack_keys(int key_block) {
        if (packed_[key_block] != 0) {
            return;
        }
        packed_[key_block] = 1;
        const int first = key_block * kTile;
        const int last = least(first + kTile, window_.keys);
        Arithmetic::copy_across(rows_of<const T>(a_.k, batch_, head_), first, last, a_.head_dim, keys_ + key_block * keys_size_);
        Arithmetic::copy_right(rows_of<const T>(a_.v, batch_, head_), first, last, a_.head_dim, values_ + key_block * values_size_);
    }

    // How many of the rows, the leading ones, the tile's weights were summed for; those of the others are too small to count.
    int tile(int block, int key_block, int all_rows) {
        // Keys that row i sees: [0, seen + i), of which those at the right edge of the sequence may not exist.
        const int first_query = window_.offset + block * kTile;
        const int keys_here = least(kTile, window_.keys - key_block * kTile);
        const int seen = a_.causal != 0 ? first_query - key_block * kTile + 1 : kTile;
        const auto columns = [&](int row) { return a_.causal != 0 ? most(0, least(seen + row, keys_here)) : keys_here; };
        const auto vectors = [&](int row) { return (columns(row) + kWidth - 1) / kWidth; };

        int rows = narrowing_.rows_needing(key_block, all_rows, first_query);
        if (few_) {
            score_few(rows_of<const T>(a_.k, batch_, head_), key_block * kTile, keys_here, a_.head_dim, rows, queries_, scores_);
        } else {
            pack_keys(key_block);
            product<Arithmetic, false>(rows, {queries_, width_ / kPack, 1}, keys_ + key_block * keys_size_, kTile, scores_, kTile,
                                       [&](int, int last) {
                                           return Extent{vectors(last), 0, a_.head_dim / kPack};
                                       });
        }
        next_.fetch(kSomeLines);
        const auto bias_of = [&](int row) { return bias_.of_query(first_query + row) + key_block * kTile; };
        rows = narrowing_.rows_counting(rows, scores_, scale_, bias_of);
        if (rows == 0) {
            return 0;
        }
        if (mask_ != nullptr) {
            mask_->draw(a_, batch_head_, block, key_block);
        }
        const bool ragged = a_.causal == 0 && keys_here < kTile;
        int i = 0;
        if (seen >= kTile && keys_here == kTile) {
            for (; i + kRows <= rows; i += kRows) {
                weigh<kRows>(Count<kVectors>{}, i, kTile, bias_of);
            }
        }
        for (; i < rows; ++i) {
            const int count = vectors(i);
            if (count == 0) {
                Simd::store(tile_weight_ + i * kWidth, Simd::zero());
            }
            with_count<kVectors>(count, [&](auto known) { weigh<1>(known, i, ragged ? keys_here : kTile, bias_of); });
            // The second product takes rows in groups, each as far as its last row sees.
            for (int v = (count + kPack - 1) / kPack; v * kPack < vectors(least(i + kRowGroup - 1, rows - 1)); ++v) {
                Simd::store(scores_ + i * kTile + v * kWidth, Simd::zero());
            }
        }
        for (; i < all_rows; ++i) {
            Simd::store(tile_weight_ + i * kWidth, Simd::zero());
        }
        add_weights(all_rows);
        next_.fetch(kSomeLines);
        if (few_) {
            for (int row = 0; row < rows; ++row) {
                sum_few(rows_of<const T>(a_.v, batch_, head_), key_block * kTile, columns(row), a_.head_dim, scores_ + row * kTile,
                        sums_ + row * width_);
            }
            return rows;
        }
        product<Arithmetic, true>(rows, {scores_, kTile, 1}, values_ + key_block * values_size_, width_, sums_, width_, [&](int, int last) {
            return Extent{width_ / kWidth, 0, (columns(last) + kPack - 1) / kPack};
        });
        return rows;
    }

    // Scores of rows first .. first + kTogether - 1, `count` vectors each -> weights 2^(score - largest) in their place, their sums by lanes in
    // tile_weight_; then dropout.
    template <int kTogether, class N, class BiasOf>
    void weigh(N count, int first, int existing, const BiasOf& bias_of) {
        const int n = count;
        Simd::Vec x[kTogether * N::kRoom];
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
            if (Simd::any_not_below(top, Simd::set(largest_[i] + kHeadroom))) {
                raise_largest(i, top);
            }
            const Simd::Vec largest = Simd::set(largest_[i] == -__builtin_inff() ? nothing_seen(i, row, n) : largest_[i]);
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
                    row[v] = Simd::keep_if_below(row[v], &mask_->bytes[i][v * kWidth], a_.dropout_keep);
                }
            }
            if (few_) {
                Single::store_row(count, scores_ + i * kTile, row);
            } else {
                Arithmetic::store_row(count, scores_ + i * kTile, row);
            }
        }
    }

    // A tile's weights join a row's sum as one number, as its part of the product does: what is too small to count then leaves the sum as it
    // is to the last bit, and a tile that is left out is not missed.
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
        for (int i = most(0, lane); i < kWidth; ++i) {
            lanes[i] = -__builtin_inff();
        }
        return Simd::load(lanes);
    }

    // What row i's scores are set against while it has seen no number: 0, so that its weights are. The maximum passes over NaNs, which the output
    // must show: with one of them the row has seen something.
    float nothing_seen(int i, const Simd::Vec* x, int count) {
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

    void write(int begin, int rows, bool any) {
        const auto out = rows_of<T>(a_.out, batch_, head_);
        float* lse = a_.lse + static_cast<std::int64_t>(batch_head_) * a_.query_length + begin;
        const float kept = 256.0f / static_cast<float>(a_.dropout_keep);
        for (int i = 0; i < rows; ++i) {
            const int position = window_.offset + begin + i;
            if (!any || position >= window_.keys || largest_[i] == -__builtin_inff()) {
                for (int d = 0; d < a_.head_dim; d += kWidth) {
                    store_narrow(out.row(begin + i) + d, Simd::zero(), least(kWidth, a_.head_dim - d));
                }
                lse[i] = -__builtin_inff();
                continue;
            }
            write_row(sums_ + i * width_, Simd::set(kept / weight_[i]), a_.head_dim, out.row(begin + i));
            lse[i] = (largest_[i] + __builtin_log2f(weight_[i])) * kLn2;
        }
    }

    const longbow_attention& a_;
    int width_;
    float scale_;
    bool few_;                              // at most kFew queries
    std::int64_t keys_size_, values_size_;  // words a block
    int batch_head_ = -1, batch_ = 0, head_ = 0;
    Window window_{};
    BiasRow bias_;
    Narrowing narrowing_;
    Prefetch<T> next_;
    float *queries_, *scores_, *sums_, *weight_, *tile_weight_, *largest_, *bias_data_, *keys_, *values_;
    std::uint8_t* packed_;
    DropoutMask* mask_;
};

}  // namespace
}  // namespace longbow::cpu
