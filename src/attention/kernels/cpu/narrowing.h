// Leaving out, on the way, more than the skip table could (skip_table.h). The table must do with a query's own key as the least that its sum
// can be; once the tiles at the diagonal are summed, the sum itself is known to be larger, and the same bound leaves fewer blocks. Of those,
// a tile whose weights would be too small together is dropped before they are multiplied with its values. Both go by the leading rows of a
// tile, too: its last ones are the furthest away, and need least. The table may leave out a quarter of exp(-skip_threshold), the rule by norms
// here another quarter, of which it takes a small part; dropped tiles a sixteenth, which they may take whole: products with values that cancel
// would show more.
#pragma once

#include "bias_row.h"
#include "pack.h"
#include "scratch.h"

namespace longbow::cpu {
namespace {

class Narrowing {
public:
    Narrowing(const longbow_attention& a, Scratch& scratch) : a_(a), on_(a.longest_keys != nullptr && a.first_key_block != nullptr) {
        reach_ = scratch.take<float>(kTile);
        need_ = scratch.take<float>(kTile);
        limit_ = scratch.take<float>(kTile);
        dropped_ = scratch.take<float>(kTile);
        taken_ = scratch.take<float>(kTile);
    }

    // It can help where a head has a slope.
    void start_head(int batch, int head) {
        const double slope = a_.slopes != nullptr ? a_.slopes[batch * a_.slopes_batch + head] : 0.0;
        head_on_ = on_ && slope > 0.0;
        if (!head_on_) {
            return;
        }
        longest_ = a_.longest_keys + (static_cast<std::int64_t>(batch) * a_.heads + head) * blocks_of(a_.key_length);
        slope_ = static_cast<float>(slope * kLog2e);
        tail_ = log2_of_sum(slope);
        tile_tail_ = log2_of_sum(slope * kTile);
        threshold_ = a_.skip_threshold * kLog2e;
    }

    void start_block() { settled_ = false; }
    // The tiles at the diagonal: so many are summed before a row's sum is asked.
    [[nodiscard]] bool ripe(const BlockRange& range, int key_block) const {
        return head_on_ && !settled_ && key_block <= range.end - kSummedFirst && key_block > range.begin;
    }

    // Row i of the block (at key position first_query + i) has the largest score `largest`[i] (in powers of two) and the sum of
    // weights `weights`[i] of 2^(score - largest). Returns the first block of [begin, end) that must still be visited.
    template <class T>
    int settle(const Rows<const T>& queries, int first_row, int rows, int first_query, int keys, const float* largest, const float* weights,
               int begin, int end) {
        settled_ = true;
        for (int i = 0; i < kTile; ++i) {
            dropped_[i] = 0.0f;
            taken_[i] = 0.0f;
            if (i >= rows || first_query + i >= keys) {  // no such query: nothing is needed
                reach_[i] = 0.0f;
                need_[i] = -__builtin_inff();
                limit_[i] = __builtin_inff();
                continue;
            }
            const float sum = largest[i] + __builtin_log2f(weights[i]);
            reach_[i] = __builtin_sqrtf(square(queries.row(first_row + i))) * __builtin_fabsf(a_.scale) * (kLog2e * kRoundedUp);
            need_[i] = threshold_ + kQuarter + tail_ - sum - slope_ * static_cast<float>(i);
            limit_[i] = sum - threshold_ - kSixteenth - tile_tail_;
        }
        while (begin < end && !needed(begin, first_query)) {
            ++begin;
        }
        return begin;
    }

    // As many of the `rows` of a block of queries, the first of which stands at first_query, as need that block of keys: whole groups.
    [[nodiscard]] int rows_needing(int key_block, int rows, int first_query) const {
        if (!settled_) {
            return rows;
        }
        const float nearest = nearest_of(key_block, first_query);
        int needing = rows;
        while (needing > 0 && reach_[needing - 1] * longest_[key_block] + need_[needing - 1] < nearest) {
            --needing;
        }
        return whole_groups(most(1, needing), rows);  // rounding may put it below what made the block needed
    }

    // As many of the `rows` of raw `scores` [kTile, kTile] as count, whole groups; those after them are small enough to drop: the weights of
    // each row's dropped tiles together stay within what the row may lose. One tile may take as much of that as leaves room for all further
    // ones, if they shrink as the bias does. bias_of(i): the tile's row i of biases. A score that is NaN is never dropped.
    template <class BiasOf>
    int rows_counting(int rows, const float* scores, float scale, const BiasOf& bias_of) {
        if (!settled_ || !small(rows - 1, scores, scale, bias_of(rows - 1))) {
            return rows;
        }
        int counting = rows - 1;
        while (counting > 0 && small(counting - 1, scores, scale, bias_of(counting - 1))) {
            --counting;
        }
        counting = whole_groups(counting, rows);
        for (int i = 0; i < kTile; ++i) {
            taken_[i] = i < counting || i >= rows ? 0.0f : taken_[i];
        }
        Simd::Vec sums[kTile / kWidth];
        const Simd::Vec share = exp2_of(Simd::set(-tile_tail_));
        for (int v = 0; v < kTile / kWidth; ++v) {
            const int at = v * kWidth;
            sums[v] = Simd::fma(Simd::load(taken_ + at), share, Simd::load(dropped_ + at));
            if (Simd::any_not_below(sums[v], Simd::set(1.0f))) {
                return rows;
            }
        }
        for (int v = 0; v < kTile / kWidth; ++v) {
            Simd::store(dropped_ + v * kWidth, sums[v]);
        }
        return counting;
    }

private:
    static constexpr int kWidth = Simd::kWidth;
    static constexpr int kSummedFirst = 2;
    static constexpr float kQuarter = 2.0f, kSixteenth = 4.0f;  // in powers of two
    // A tile of weights below 2^kNegligible of the limit takes so little of it that a bound serves.
    static constexpr float kNegligible = -11.0f;
    static constexpr float kLog2Tile = 6.0f;
    static constexpr float kRoundedUp = 1.00001f;  // above what fp32 sums of squares lose

    // log2 of at least the sum of exp(-slope n) over all n: 1 - exp(-slope) is at least slope / (1 + slope).
    static float log2_of_sum(double slope) { return __builtin_log2f(static_cast<float>((1.0 + slope) / slope)); }

    // |row|^2 of a query of any type.
    template <class T>
    float square(const T* row) const {
        Simd::Vec sum = Simd::zero();
        for (int d = 0; d < a_.head_dim; d += kWidth) {
            const Simd::Vec x = load_wide(row + d, least(kWidth, a_.head_dim - d));
            sum = Simd::fma(x, x, sum);
        }
        return Simd::sum(sum);
    }

    // The bias between the first query and the nearest key of a block.
    [[nodiscard]] float nearest_of(int block, int first_query) const {
        return slope_ * static_cast<float>(first_query - (block * kTile + kTile - 1));
    }
    static int whole_groups(int rows, int all) { return least(all, (rows + kRowGroup - 1) / kRowGroup * kRowGroup); }

    [[nodiscard]] bool needed(int block, int first_query) const {
        const Simd::Vec longest = Simd::set(longest_[block]);
        const Simd::Vec nearest = Simd::set(nearest_of(block, first_query));
        for (int at = 0; at < kTile; at += kWidth) {
            if (Simd::any_not_below(Simd::fma(Simd::load(reach_ + at), longest, Simd::load(need_ + at)), nearest)) {
                return true;
            }
        }
        return false;
    }

    // Whether row i of a tile weighs less than one tile may; what it weighs of that, or a little more, to taken_[i].
    bool small(int i, const float* scores, float scale, const float* bias) {
        const Simd::Vec factor = Simd::set(scale);
        const Simd::Vec limit = Simd::set(limit_[i]);
        Simd::Vec x[kTile / kWidth];
        Simd::Vec top = Simd::set(-__builtin_inff());
        for (int v = 0; v < kTile / kWidth; ++v) {
            x[v] = Simd::sub(Simd::fma(Simd::load(scores + i * kTile + v * kWidth), factor, Simd::load(bias + v * kWidth)), limit);
            if (Simd::any_not_below(x[v], Simd::zero())) {
                return false;
            }
            top = Simd::max(x[v], top);
        }
        if (!Simd::any_not_below(top, Simd::set(kNegligible))) {
            taken_[i] = Simd::largest(exp2_of(Simd::add(top, Simd::set(kLog2Tile)))) * kRoundedUp;  // all its weights as the largest
            return true;
        }
        Simd::Vec sum = Simd::zero();
        for (const Simd::Vec& each : x) {
            sum = Simd::add(sum, exp2_of(each));
        }
        taken_[i] = Simd::sum(sum) * kRoundedUp;
        return taken_[i] < 1.0f;
    }

    const longbow_attention& a_;
    bool on_, head_on_ = false, settled_ = false;
    const float* longest_ = nullptr;
    float slope_ = 0.0f, tail_ = 0.0f, tile_tail_ = 0.0f, threshold_ = 0.0f;
    float *reach_, *need_, *limit_, *dropped_, *taken_;
};

}  // namespace
}  // namespace longbow::cpu
