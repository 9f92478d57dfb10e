// The CPU backward pass over tiles of 64 x 64. Weights are computed again from q, k and lse. There are two ways through
// the tiles. One computes all gradients at once, one block of keys after another (five matrix products a tile). The
// other, for calls with too few heads to keep all threads busy, computes dq by blocks of queries and then dk and dv by
// blocks of keys (seven products a tile). Both give the same bits, because each sum takes its tiles in the same order.
// That order begins at the diagonal, so that far tiles whose parts are too small to count leave the sum unchanged to
// the last bit, whether they are visited or skipped. A head of k and v that serves several heads of q sums their parts
// in the heads' order.
#pragma once

#include "bias_gradient.h"
#include "dropout_mask.h"
#include "exact_dot.h"
#include "place_gradients.h"
#include "prefetch.h"
#include "product.h"
#include "score_gradients.h"
#include "scratch.h"
#include "tile_bias.h"

namespace longbow::cpu {
namespace {

// Which gradients one walk over the tiles computes. The values are those of `which` in kernels.h.
enum class Gradients { all, queries, keys };

template <class T>
class Backward {
public:
    Backward(const longbow_attention& a, Gradients which, const BiasGradient& bias_gradient, Scratch& scratch)
        : a_(a),
          which_(which),
          bias_gradient_(bias_gradient),
          group_(group_of(a)),
          width_(padded(a.head_dim)),
          tile_size_(std::int64_t{kTile} * width_),
          words_(tile_size_ / kPack),
          bias_(a, scratch),
          place_gradients_(a),
          score_gradients_(a, reads_gradients(), scratch) {
        const std::int64_t query_blocks = blocks_of(a.query_length);
        const std::int64_t key_blocks = blocks_of(a.key_length);
        // A walk over blocks of keys packs one block of k and v at a time and keeps all queries packed; a walk over
        // blocks of queries does the opposite.
        const std::int64_t query_slots = which == Gradients::queries ? 1 : query_blocks;
        key_slots_ = which == Gradients::queries ? key_blocks : 1;
        mask_ = a.dropout_keep < 256 ? scratch.take<DropoutMask>(1) : nullptr;
        queries_ = scratch.take<float>(query_slots * words_);
        output_gradients_ = scratch.take<float>(query_slots * words_);
        queries_right_ = kPack > 1 ? scratch.take<float>(query_slots * words_) : queries_;
        output_gradients_right_ = kPack > 1 ? scratch.take<float>(query_slots * words_) : output_gradients_;
        lse_ = scratch.take<float>(query_slots * kTile);
        delta_ = scratch.take<TwoFloats>(query_slots * kTile);
        query_gradients_ = which == Gradients::keys ? nullptr : scratch.take<float>(query_slots * tile_size_);
        keys_across_ = scratch.take<float>(key_slots_ * words_);
        values_across_ = scratch.take<float>(key_slots_ * words_);
        keys_ = scratch.take<float>(key_slots_ * words_);
        // The heads of a group walk over all blocks of keys one after the other.
        const std::int64_t key_sums = group_ > 1 && which != Gradients::queries ? key_blocks : 1;
        key_gradients_ = scratch.take<float>(key_sums * tile_size_);
        value_gradients_ = scratch.take<float>(key_sums * tile_size_);
        packed_ = scratch.take<std::uint8_t>(max_of(blocks_of(a.query_length), blocks_of(a.key_length)));
    }

    // Computes blocks [begin, end) of one head: blocks of queries for Gradients::queries, otherwise of keys.
    // Gradients::all needs all blocks of the head. The head is one of q for Gradients::queries, otherwise one of k and
    // v. `more` says that the next call is for the next head, whose first rows are then prefetched.
    void run(int batch_head, int begin, int end, bool more = false) {
        if (which_ != Gradients::queries && group_ > 1) {
            run_group(batch_head, begin, end);
            return;
        }
        if (batch_head != batch_head_) {
            start_head(batch_head);
        }
        if (which_ == Gradients::queries) {
            for (int block = end - 1; block >= begin; --block) {
                query_block(block);
            }
            return;
        }
        if (which_ == Gradients::all) {
            clear(query_gradients_, blocks_of(a_.query_length));
        }
        for (int block = end - 1; block >= begin; --block) {
            if (block > begin) {
                plan_prefetch(batch_head, block - 1);
            } else if (more) {
                plan_prefetch(batch_head + 1, blocks_of(a_.key_length) - 1);
            }
            clear_key_sums(0, 1);
            add_key_block(block, 0);
            write_key_sums(block, 0);
            next_.fetch(kAllLines);
        }
        if (which_ == Gradients::all) {
            write_query_gradients();
        }
    }

private:
    using Arithmetic = typename ArithmeticOf<T>::Type;
    static constexpr int kPack = Arithmetic::kPack;
    static constexpr int kWidth = Simd::kWidth;
    static constexpr int kSomeLines = 160, kAllLines = 1 << 20;  // cache lines to prefetch at once

    // Does the same for a head of k and v that serves several heads of q.
    void run_group(int kv_unit, int begin, int end) {
        next_.clear();
        clear_key_sums(begin, end);
        for (int i = 0; i < group_; ++i) {
            start_head(kv_unit * group_ + i);
            if (which_ == Gradients::all) {
                clear(query_gradients_, blocks_of(a_.query_length));
            }
            for (int block = end - 1; block >= begin; --block) {
                add_key_block(block, block);
            }
            if (which_ == Gradients::all) {
                write_query_gradients();
            }
        }
        for (int block = begin; block < end; ++block) {
            write_key_sums(block, block);
        }
    }

    void start_head(int batch_head) {
        batch_head_ = batch_head;
        batch_ = batch_head / a_.heads;
        head_ = batch_head % a_.heads;
        kv_head_ = kv_head_of(a_, head_);
        window_ = window_of(a_, batch_);
        bias_.start_head(batch_, head_);
        __builtin_memset(packed_, 0,
                         static_cast<std::size_t>(max_of(blocks_of(a_.query_length), blocks_of(a_.key_length))));
    }

    // Prefetches the rows with which the next block of keys begins: its own and those of the queries at the same
    // positions.
    void plan_prefetch(int batch_head, int block) {
        const int batch = batch_head / a_.heads;
        const int head = batch_head % a_.heads;
        const int keys = block * kTile;
        const int queries = max_of(0, keys - (a_.key_length - a_.query_length));
        const longbow_tensor4* const by_key[] = {&a_.k, &a_.v, &a_.dk, &a_.dv};
        const longbow_tensor4* const by_query[] = {&a_.q, &a_.dout, &a_.out};
        next_.clear();
        for (const auto* rows : by_key) {
            next_.add(*rows, batch, kv_head_of(a_, head), keys, min_of(keys + kTile, a_.key_length), a_.head_dim,
                      rows == &a_.dk || rows == &a_.dv);
        }
        for (const auto* rows : by_query) {
            next_.add(*rows, batch, head, queries, min_of(queries + kTile, a_.query_length), a_.head_dim, false);
        }
        if (batch_head != batch_head_) {
            next_.add(a_.dq, batch, head, 0, min_of(kTile, a_.query_length), a_.head_dim, true);
        }
    }

    void clear(float* tiles, int count) const {
        __builtin_memset(tiles, 0, sizeof(float) * static_cast<std::size_t>(count * tile_size_));
    }
    void clear_key_sums(int begin, int end) const {
        clear(key_gradients_ + begin * tile_size_, end - begin);
        clear(value_gradients_ + begin * tile_size_, end - begin);
    }

    // Adds what this head of q gives to the gradients of a block of keys, which are in the sums' place `slot`.
    void add_key_block(int block, int slot) {
        bool packed = false;
        key_sum_ = slot * tile_size_;
        for (int query = 0; query < blocks_of(a_.query_length); ++query) {
            if (!visible_blocks(a_, batch_, head_, query).holds(block)) {
                continue;
            }
            if (!packed) {
                pack_keys(block, 0);
                packed = true;
            }
            if (packed_[query] == 0) {
                packed_[query] = 1;
                pack_queries(query, query);
            }
            tile(query, block, query, 0);
        }
    }

    void write_key_sums(int block, int slot) {
        write(a_.dk, kv_head_, key_gradients_ + slot * tile_size_, block, a_.key_length, a_.scale);
        write(a_.dv, kv_head_, value_gradients_ + slot * tile_size_, block, a_.key_length,
              256.0f / static_cast<float>(a_.dropout_keep));
    }

    void write_query_gradients() {
        for (int block = 0; block < blocks_of(a_.query_length); ++block) {
            next_.clear();
            next_.add(a_.dq, batch_, head_, (block + 1) * kTile, min_of((block + 2) * kTile, a_.query_length),
                      a_.head_dim, true);
            next_.fetch(kAllLines);
            write(a_.dq, head_, query_gradients_ + block * tile_size_, block, a_.query_length, a_.scale);
        }
    }

    void query_block(int block) {
        clear(query_gradients_, 1);
        const BlockRange range = visible_blocks(a_, batch_, head_, block);
        if (range.begin < range.end) {
            pack_queries(block, 0);
        }
        for (int key = range.end - 1; key >= range.begin; key = range.left_of(key)) {
            if (packed_[key] == 0) {
                packed_[key] = 1;
                pack_keys(key, key);
            }
            tile(block, key, 0, key);
        }
        write(a_.dq, head_, query_gradients_, block, a_.query_length, a_.scale);
    }

    void pack_keys(int block, int slot) {
        const int first = block * kTile;
        const int last = min_of(first + kTile, window_.keys);
        const auto keys = rows_of<const T>(a_.k, batch_, kv_head_);
        Arithmetic::copy_across(keys, first, last, a_.head_dim, keys_across_ + slot * words_);
        Arithmetic::copy_across(rows_of<const T>(a_.v, batch_, kv_head_), first, last, a_.head_dim,
                                values_across_ + slot * words_);
        Arithmetic::copy_right(keys, first, last, a_.head_dim, keys_ + slot * words_);
    }

    // Packs a block of queries, and computes each row's lse in base 2 and out . dout. A row that saw no key gets lse =
    // infinity, which makes its weights 0.
    void pack_queries(int block, int slot) {
        const int first = block * kTile;
        const int last = max_of(first, min_of(min_of(first + kTile, a_.query_length), window_.keys - window_.offset));
        const auto queries = rows_of<const T>(a_.q, batch_, head_);
        const auto gradients = rows_of<const T>(a_.dout, batch_, head_);
        Arithmetic::copy_left(queries, first, last, a_.head_dim, queries_ + slot * words_);
        Arithmetic::copy_left(gradients, first, last, a_.head_dim, output_gradients_ + slot * words_);
        if constexpr (kPack > 1) {
            Arithmetic::copy_right(queries, first, last, a_.head_dim, queries_right_ + slot * words_);
            Arithmetic::copy_right(gradients, first, last, a_.head_dim, output_gradients_right_ + slot * words_);
        }
        const auto out = rows_of<const T>(a_.out, batch_, head_);
        const float* lse = a_.lse + static_cast<std::int64_t>(batch_head_) * a_.query_length;
        for (int i = 0; i < kTile; ++i) {
            TwoFloats* delta = delta_ + std::int64_t{slot} * kTile + i;
            float* power = lse_ + std::int64_t{slot} * kTile + i;
            if (first + i >= last || lse[first + i] == -__builtin_inff()) {
                *delta = {0.0f, 0.0f};
                *power = __builtin_inff();
                continue;
            }
            *delta = exact_dot(out.row(first + i), gradients.row(first + i), a_.head_dim);
            *power = lse[first + i] * kLog2e;
        }
        if (which_ != Gradients::keys && a_.places.dsink_logit != nullptr) sum_sink_gradient(block, slot);
    }

    // A row's sink takes -P (out . dout), with P its share of the row's weight.
    void sum_sink_gradient(int block, int slot) const {
        const float sink = a_.places.sink_logit[head_] * kLog2e;
        double sum = 0.0;
        for (std::int64_t i = std::int64_t{slot} * kTile; i < std::int64_t{slot + 1} * kTile; ++i) {
            const double delta = static_cast<double>(delta_[i].high) + static_cast<double>(delta_[i].low);
            sum -= static_cast<double>(__builtin_exp2f(sink - lse_[i])) * delta;
        }
        a_.places.dsink_logit[std::int64_t{batch_head_} * blocks_of(a_.query_length) + block] = sum;
    }

    void tile(int query_block, int key_block, int query_slot, int key_slot) {
        const int first_query = window_.offset + query_block * kTile;
        const int rows = visiting_rows(a_, batch_, head_, query_block, key_block);
        const int keys_here = keys_in_block(a_, window_, first_query, key_block);
        // Row i sees the block's keys [0, seen + i), so column j is seen by the rows from j - seen + 1 on.
        const int seen = a_.causal != 0 ? first_query - key_block * kTile + 1 : kTile;
        const auto columns = [&](int row) { return max_of(0, min_of(seen + row, keys_here)); };
        const auto vectors = [&](int row) { return (columns(row) + kWidth - 1) / kWidth; };
        // Single rows at a tile's end go as far as the group of rows that differentiate() handles together.
        const auto by_row = [&](int, int last) {
            constexpr int kTogether = ScoreGradients<Arithmetic>::kRows;
            return Extent{vectors(min_of(last / kTogether * kTogether + kTogether, rows) - 1), 0, a_.head_dim / kPack};
        };
        const auto scores_of = [&](const float* left, const float* right, float* to) {
            product<Arithmetic, false>(rows, {left + query_slot * words_, width_ / kPack, 1}, right + key_slot * words_,
                                       kTile, to, kTile, by_row);
        };
        scores_of(queries_, keys_across_, score_gradients_.scores());
        next_.fetch(kSomeLines);
        scores_of(output_gradients_, values_across_, score_gradients_.weight_gradients());
        next_.fetch(kSomeLines);
        if (mask_ != nullptr) {
            mask_->draw(a_, batch_head_, query_block, key_block);
        }
        const Biases bias_of = bias_.of_tile(query_block, key_block, rows);
        score_gradients_.differentiate(rows, keys_here, vectors, bias_of, lse_ + query_slot * kTile,
                                       delta_ + query_slot * kTile, mask_);
        add_to_bias_gradients(query_block, key_block, rows);
        const int wide = width_ / kWidth;
        const auto by_column = [&](int first, int) {
            return Extent{wide, max_of(0, min_of(rows, first - seen + 1)) / kPack, (rows + kPack - 1) / kPack};
        };
        if (which_ != Gradients::queries) {
            const auto sum_by_key = [&](const Left& left, const float* right, float* to) {
                product<Arithmetic, true>(keys_here, left, right + query_slot * words_, width_, to, width_, by_column);
                next_.fetch(kSomeLines);
            };
            sum_by_key(score_gradients_.weights_by_key(), output_gradients_right_, value_gradients_ + key_sum_);
            sum_by_key(score_gradients_.gradients_by_key(), queries_right_, key_gradients_ + key_sum_);
        }
        if (which_ != Gradients::keys) {
            product<Arithmetic, true>(rows, score_gradients_.gradients_by_query(), keys_ + key_slot * words_, width_,
                                      query_gradients_ + query_slot * tile_size_, width_, [&](int, int last) {
                                          return Extent{wide, 0, (columns(last) + kPack - 1) / kPack};
                                      });
        }
    }

    // Whether the scores' gradients are summed themselves, and not only multiplied.
    [[nodiscard]] bool reads_gradients() const {
        return (which_ != Gradients::keys && (bias_gradient_.wanted() || place_gradients_.by_query())) ||
               (which_ != Gradients::queries && place_gradients_.by_key());
    }
    void add_to_bias_gradients(int query_block, int key_block, int rows) {
        const float* tile = score_gradients_.gradients();
        if (which_ != Gradients::keys && bias_gradient_.wanted())
            bias_gradient_.add_tile(batch_head_, query_block, key_block, rows, tile);
        if (which_ != Gradients::keys && place_gradients_.by_query())
            place_gradients_.add_by_query(batch_head_, query_block, key_block, rows, tile);
        if (which_ != Gradients::queries && place_gradients_.by_key())
            place_gradients_.add_by_key(batch_head_, query_block, key_block, rows, tile);
    }

    void write(const longbow_tensor4& to, int head, const float* tile, int block, int length, float factor) {
        if (to.data == nullptr) {
            return;
        }
        const auto rows = rows_of<T>(to, batch_, head);
        for (int i = block * kTile; i < min_of(length, (block + 1) * kTile); ++i, tile += width_) {
            write_row(tile, Simd::set(factor), a_.head_dim, rows.row(i));
        }
    }

    const longbow_attention& a_;
    Gradients which_;
    BiasGradient bias_gradient_;
    int group_;  // heads of q that a head of k and v serves
    int width_;
    std::int64_t tile_size_;  // numbers in a tile [kTile, padded]
    std::int64_t words_;      // words in a tile that is packed as an operand
    std::int64_t key_slots_;
    std::int64_t key_sum_ = 0;  // where the sums of the block of keys are that is worked on
    int batch_head_ = -1, batch_ = 0, head_ = 0, kv_head_ = 0;
    Window window_{};
    TileBias bias_;
    PlaceGradients place_gradients_;
    Prefetch<T> next_;
    ScoreGradients<Arithmetic> score_gradients_;
    TwoFloats* delta_;
    float *lse_, *query_gradients_, *keys_across_, *values_across_, *keys_, *key_gradients_, *value_gradients_;
    float *queries_, *output_gradients_;  // packed as left operands
    // Packed as right operands whose depth is the queries; the same buffers if a word holds one number.
    float *queries_right_, *output_gradients_right_;
    std::uint8_t* packed_;
    DropoutMask* mask_;
};

}  // namespace
}  // namespace longbow::cpu
