// The CPU forward pass of blocks of queries: online softmax over tiles of 64 x 64 scores. It walks left from the
// diagonal, so that the largest score is met early and later tiles seldom rescale the sums.
#pragma once

#include "dropout_mask.h"
#include "few_queries.h"
#include "narrowing.h"
#include "online_softmax.h"
#include "prefetch.h"
#include "product.h"
#include "scratch.h"
#include "tile_bias.h"

namespace longbow::cpu {
namespace {

template <class T>
class Forward {
public:
    Forward(const longbow_attention& a, Scratch& scratch)
        : a_(a),
          width_(padded(a.head_dim)),
          few_(a.query_length <= kFew),
          bias_(a, scratch),
          softmax_(a, width_, few_, scratch),
          narrowing_(a, scratch) {
        const int key_blocks = blocks_of(a.key_length);
        queries_ = scratch.take<float>(kTile * width_);
        mask_ = a.dropout_keep < 256 ? scratch.take<DropoutMask>(1) : nullptr;
        packed_ = scratch.take<std::uint8_t>(key_blocks);
        keys_size_ = std::int64_t{a.head_dim / kPack} * kTile;
        values_size_ = std::int64_t{kTile / kPack} * width_;
        keys_ = few_ ? nullptr : scratch.take<float>(key_blocks * keys_size_);
        values_ = few_ ? nullptr : scratch.take<float>(key_blocks * values_size_);
    }

    // Computes query blocks [begin, end), counted over [batch, heads, blocks].
    void run(std::int64_t begin, std::int64_t end) {
        const int blocks = blocks_of(a_.query_length);
        for (std::int64_t i = begin; i < end; ++i) {
            const auto batch_head = static_cast<int>(i / blocks);
            const auto block = static_cast<int>(i % blocks);
            if (batch_head != batch_head_) {
                start_head(batch_head);
            }
            if (i + 1 < end) {
                plan_prefetch(static_cast<int>((i + 1) / blocks), static_cast<int>((i + 1) % blocks));
            }
            query_block(block);
            next_.fetch(kAllLines);
        }
    }

private:
    using Arithmetic = typename ArithmeticOf<T>::Type;
    static constexpr int kPack = Arithmetic::kPack;
    static constexpr int kWidth = Simd::kWidth;
    static constexpr int kSomeLines = 256, kAllLines = 1 << 20;  // cache lines to prefetch at once

    void start_head(int batch_head) {
        batch_head_ = batch_head;
        batch_ = batch_head / a_.heads;
        head_ = batch_head % a_.heads;
        window_ = window_of(a_, batch_);
        bias_.start_head(batch_, head_);
        narrowing_.start_head(batch_, head_);
        softmax_.start_head();
        if (same_keys(batch_head)) {
            return;
        }
        kv_unit_ = batch_head / group_of(a_);
        kv_head_ = kv_head_of(a_, head_);
        __builtin_memset(packed_, 0, static_cast<std::size_t>(blocks_of(a_.key_length)));
    }

    // Whether the keys and values of this head are those that are packed now.
    [[nodiscard]] bool same_keys(int batch_head) const { return batch_head / group_of(a_) == kv_unit_; }

    // Prefetches the rows with which the next block of queries begins.
    void plan_prefetch(int batch_head, int block) {
        const int batch = batch_head / a_.heads;
        const int head = batch_head % a_.heads;
        const BlockRange range = visible_blocks(a_, batch, head, block);
        const int last_block = max_of(0, range.end - 1);
        const int begin = block * kTile;
        const int end = min_of(begin + kTile, a_.query_length);
        next_.clear();
        next_.add(a_.q, batch, head, begin, end, a_.head_dim, false);
        if (range.begin < range.end && (!same_keys(batch_head) || packed_[last_block] == 0)) {
            const int first = last_block * kTile;
            const int last = min_of(first + kTile, a_.key_length);
            next_.add(a_.k, batch, kv_head_of(a_, head), first, last, a_.head_dim, false);
            next_.add(a_.v, batch, kv_head_of(a_, head), first, last, a_.head_dim, false);
        }
        next_.add(a_.out, batch, head, begin, end, a_.head_dim, true);
    }

    void query_block(int block) {
        const int begin = block * kTile;
        const int rows = min_of(kTile, a_.query_length - begin);
        const BlockRange range = visible_blocks(a_, batch_, head_, block);
        if (range.begin < range.end) {
            const auto queries = rows_of<const T>(a_.q, batch_, head_);
            if (few_) {
                copy_tile(queries, begin, begin + rows, a_.head_dim, queries_);
            } else {
                Arithmetic::copy_left(queries, begin, begin + rows, a_.head_dim, queries_);
            }
            softmax_.start_block();
            visit(range, block, rows);
        } else if (a_.first_visited_block != nullptr) {
            __builtin_memset(visited_of(block), 0, sizeof(std::int32_t) * kRowGroups);
        }
        write(begin, rows, range.begin < range.end);
    }

    [[nodiscard]] std::int32_t* visited_of(int block) const {
        return a_.first_visited_block + (std::int64_t{batch_head_} * blocks_of(a_.query_length) + block) * kRowGroups;
    }

    void visit(const BlockRange& range, int block, int rows) {
        narrowing_.start_block();
        int first = range.begin;
        std::int32_t visited[kRowGroups];
        for (auto& group : visited) {
            group = range.end - 1;
        }
        for (int key_block = range.end - 1; key_block >= first; key_block = range.left_of(key_block)) {
            const int counting = tile(block, key_block, rows);
            for (int group = 0; group * kRowGroup < counting; ++group) {
                visited[group] = key_block;
            }
            if (narrowing_.sums_suffice(range, key_block)) {
                first = narrowing_.narrow(rows_of<const T>(a_.q, batch_, head_), block * kTile, rows,
                                          window_.offset + block * kTile, window_.keys, softmax_.largest(),
                                          softmax_.weight(), first, key_block);
            }
        }
        if (a_.first_visited_block != nullptr) {
            __builtin_memcpy(visited_of(block), visited, sizeof visited);
        }
    }

    void pack_keys(int key_block) {
        if (packed_[key_block] != 0) {
            return;
        }
        packed_[key_block] = 1;
        const int first = key_block * kTile;
        const int last = min_of(first + kTile, window_.keys);
        Arithmetic::copy_across(rows_of<const T>(a_.k, batch_, kv_head_), first, last, a_.head_dim,
                                keys_ + key_block * keys_size_);
        Arithmetic::copy_right(rows_of<const T>(a_.v, batch_, kv_head_), first, last, a_.head_dim,
                               values_ + key_block * values_size_);
    }

    // Computes one tile and returns for how many of its leading rows the weights were summed. In the other rows they
    // are too small to count.
    int tile(int block, int key_block, int all_rows) {
        // Row i sees keys [0, seen + i), of which those at the right edge of the sequence may not exist.
        const int first_query = window_.offset + block * kTile;
        const int keys_here = keys_in_block(a_, window_, first_query, key_block);
        const int seen = a_.causal != 0 ? first_query - key_block * kTile + 1 : kTile;
        const auto columns = [&](int row) {
            return a_.causal != 0 ? max_of(0, min_of(seen + row, keys_here)) : keys_here;
        };
        const auto vectors = [&](int row) { return (columns(row) + kWidth - 1) / kWidth; };

        int rows = narrowing_.rows_to_visit(key_block, all_rows, first_query);
        if (few_) {
            score_few(rows_of<const T>(a_.k, batch_, kv_head_), key_block * kTile, keys_here, a_.head_dim, rows,
                      queries_, softmax_.scores());
        } else {
            pack_keys(key_block);
            product<Arithmetic, false>(rows, {queries_, width_ / kPack, 1}, keys_ + key_block * keys_size_, kTile,
                                       softmax_.scores(), kTile, [&](int, int last) {
                                           return Extent{vectors(last), 0, a_.head_dim / kPack};
                                       });
        }
        next_.fetch(kSomeLines);
        const Biases bias_of = bias_.of_tile(block, key_block, rows);
        rows = narrowing_.rows_to_keep(rows, softmax_.scores(), softmax_.scale(), bias_of);
        if (rows == 0) {
            return 0;
        }
        if (mask_ != nullptr) {
            mask_->draw(a_, batch_head_, block, key_block);
        }
        // In causal calls, keys beyond the end lie after every query that counts, so the bias already hides them, as it
        // does those beside the sinks.
        const int existing = a_.causal != 0 ? kTile : keys_here;
        softmax_.weigh_tile(rows, all_rows, seen >= kTile && keys_here == kTile, existing, vectors, bias_of, mask_);
        next_.fetch(kSomeLines);
        if (few_) {
            for (int row = 0; row < rows; ++row) {
                sum_few(rows_of<const T>(a_.v, batch_, kv_head_), key_block * kTile, columns(row), a_.head_dim,
                        softmax_.scores() + row * kTile, softmax_.sums() + row * width_);
            }
            return rows;
        }
        product<Arithmetic, true>(rows, {softmax_.scores(), kTile, 1}, values_ + key_block * values_size_, width_,
                                  softmax_.sums(), width_, [&](int, int last) {
                                      return Extent{width_ / kWidth, 0, (columns(last) + kPack - 1) / kPack};
                                  });
        return rows;
    }

    // The weights of row i together are weight * 2^largest; its values were summed with weights that are `factor` times
    // too large for that.
    struct RowSum {
        float largest, weight, factor;
    };
    // The sink logit takes part here and not before the first tile, because what may be skipped is measured by the
    // weights of keys alone.
    [[nodiscard]] RowSum whole_sum(int i) const {
        const float largest = softmax_.largest()[i], weight = softmax_.weight()[i];
        if (a_.places.sink_logit == nullptr) return {largest, weight, 1.0f};
        const float sink = a_.places.sink_logit[head_] * kLog2e;
        if (sink <= largest) return {largest, weight + __builtin_exp2f(sink - largest), 1.0f};
        const float factor = __builtin_exp2f(largest - sink);
        return {sink, weight * factor + 1.0f, factor};
    }

    void write(int begin, int rows, bool any) {
        const auto out = rows_of<T>(a_.out, batch_, head_);
        float* lse = a_.lse + static_cast<std::int64_t>(batch_head_) * a_.query_length + begin;
        const float kept = 256.0f / static_cast<float>(a_.dropout_keep);
        for (int i = 0; i < rows; ++i) {
            const int position = window_.offset + begin + i;
            if (!any || position >= window_.keys || softmax_.largest()[i] == -__builtin_inff()) {
                for (int d = 0; d < a_.head_dim; d += kWidth) {
                    store_narrow(out.row(begin + i) + d, Simd::zero(), min_of(kWidth, a_.head_dim - d));
                }
                lse[i] = -__builtin_inff();
                continue;
            }
            const RowSum sum = whole_sum(i);
            write_row(softmax_.sums() + i * width_, Simd::set(kept * sum.factor / sum.weight), a_.head_dim,
                      out.row(begin + i));
            lse[i] = (sum.largest + __builtin_log2f(sum.weight)) * kLn2;
        }
    }

    const longbow_attention& a_;
    int width_;
    bool few_;                              // whether there are at most kFew queries
    std::int64_t keys_size_, values_size_;  // words per block
    int batch_head_ = -1, batch_ = 0, head_ = 0;
    int kv_unit_ = -1, kv_head_ = 0;  // of k and v: counted over [batch, kv_heads], and within the batch element
    Window window_{};
    TileBias bias_;
    OnlineSoftmax<Arithmetic> softmax_;
    Narrowing narrowing_;
    Prefetch<T> next_;
    float *queries_, *keys_, *values_;
    std::uint8_t* packed_;
    DropoutMask* mask_;
};

}  // namespace
}  // namespace longbow::cpu
