// Skips more during the CPU's forward pass than the skip table could know beforehand (skip_table.h). The table must
// take the weight of a query's own key as the least that its sum can be. Once the tiles at the diagonal are summed, the
// sum itself is known to be larger, and the same bound leaves fewer blocks. Of those, a tile whose weights together are
// too small is dropped before it is multiplied with its values. Both rules also apply to some rows of a tile alone: its
// last rows are the furthest from the keys and need them least.
//
// A row may lose exp(-skip_threshold) of its sum. The table may use a quarter of that, and the bound by norms another
// quarter, of which it uses little in practice. Dropped tiles may use a sixteenth, and may use it whole. A larger share
// would show where products with values cancel.
#pragma once

#include "bias_row.h"
#include "pack.h"
#include "scratch.h"

namespace longbow::cpu {
namespace {

class Narrowing {
public:
    Narrowing(const longbow_attention& a, Scratch& scratch)
        : a_(a), enabled_(a.max_key_norms != nullptr && a.first_key_block != nullptr) {
        reach_ = scratch.take<float>(kTile);
        need_ = scratch.take<float>(kTile);
        limit_ = scratch.take<float>(kTile);
        dropped_ = scratch.take<float>(kTile);
        taken_ = scratch.take<float>(kTile);
    }

    // Prepares for a head. Narrowing is on only where the bias falls with the distance: with a positive slope, or with
    // terms of columns or a table and no negative one.
    void start_head(int batch, int head) {
        const double slope = a_.slopes != nullptr ? a_.slopes[batch * a_.slopes_batch + head] : 0.0;
        const longbow_places& places = a_.places;
        const bool columns = places.column_tails != nullptr, table = places.table_tails != nullptr;
        const bool summed = columns || table;
        head_enabled_ = enabled_ && (slope > 0.0 || (summed && slope == 0.0));
        if (!head_enabled_) {
            return;
        }
        const std::int64_t batch_head = static_cast<std::int64_t>(batch) * a_.heads + head;
        const int blocks = blocks_of(a_.key_length);
        max_key_norms_ = a_.max_key_norms + batch_head * blocks;
        slope_ = static_cast<float>(slope * kLog2e);
        if (summed && !(max_key_norms_[0] < __builtin_inff())) {  // the table found nothing to skip
            head_enabled_ = false;
            return;
        }
        // How tiles by columns or a table shrink is not known, so that one may take a quarter of what a row may lose.
        tail_ = summed ? 0.0f : log2_of_sum(slope);
        tile_tail_ = summed ? kTileShare : log2_of_sum(slope * kTile);
        threshold_ = a_.skip_threshold * kLog2e;
        column_tails_ = columns ? places.column_tails + batch_head * blocks : nullptr;
        table_tails_ = table ? places.table_tails + batch_head * (a_.key_length + kTile) : nullptr;
        rows_ = places.row != nullptr
                    ? places.row + batch * places.row_batch + static_cast<std::int64_t>(head) * a_.query_length
                    : nullptr;
    }

    void start_block() { narrowed_ = false; }
    // Whether the sums can now say what else the rows need: kSummedFirst blocks are summed, counted from the diagonal,
    // and others remain.
    [[nodiscard]] bool sums_suffice(const BlockRange& range, int key_block) const {
        return head_enabled_ && !narrowed_ && key_block <= range.end - kSummedFirst && key_block > range.begin;
    }

    // Computes from the sums so far what each row still needs, and returns the first of the blocks [begin, end) that
    // must be visited. Row i of the block of queries is at key position first_query + i; `largest`[i] is its largest
    // score (base 2) and `weights`[i] its sum of 2^(score - largest).
    template <class T>
    int narrow(const Rows<const T>& queries, int first_row, int rows, int first_query, int keys, const float* largest,
               const float* weights, int begin, int end) {
        narrowed_ = true;
        first_term_ = rows_ != nullptr ? rows_[first_row] : 0.0;
        for (int i = 0; i < kTile; ++i) {
            dropped_[i] = 0.0f;
            taken_[i] = 0.0f;
            if (i >= rows || first_query + i >= keys) {  // no such query: it needs nothing
                reach_[i] = 0.0f;
                need_[i] = -__builtin_inff();
                limit_[i] = __builtin_inff();
                continue;
            }
            const float sum = largest[i] + __builtin_log2f(weights[i]);
            reach_[i] =
                __builtin_sqrtf(square(queries.row(first_row + i))) * __builtin_fabsf(a_.scale) * (kLog2e * kRoundedUp);
            need_[i] = threshold_ + kQuarter + tail_ - sum - slope_ * static_cast<float>(i);
            if (rows_ != nullptr) need_[i] += static_cast<float>((rows_[first_row + i] - first_term_) * kLog2e);
            limit_[i] = sum - threshold_ - kSixteenth - tile_tail_;
        }
        while (begin < end && !needed(begin, first_query)) {
            ++begin;
        }
        return begin;
    }

    // Returns how many leading rows of a block of queries need a block of keys, in whole groups. The first row is at
    // key position first_query.
    [[nodiscard]] int rows_to_visit(int key_block, int rows, int first_query) const {
        if (!narrowed_) {
            return rows;
        }
        const float nearest = nearest_of(key_block, first_query);
        int needing = rows;
        while (needing > 0 && reach_[needing - 1] * max_key_norms_[key_block] + need_[needing - 1] +
                                      table_tail(key_block, first_query, needing - 1) <
                                  nearest) {
            --needing;
        }
        // At least 1: needed() found such a row, which the loop above may miss by rounding.
        return whole_groups(max_of(1, needing), rows);
    }

    // Returns how many leading rows of a tile of raw `scores` [kTile, kTile] count, in whole groups. The tile is to be
    // dropped for the rows after them. What a row loses to all dropped tiles stays within its share: one tile may take
    // the share divided by the sum of a geometric series that shrinks from tile to tile as the bias does, which leaves
    // room for all further tiles. How terms by columns and tables shrink is not known: there a tile may take a
    // quarter, and what all have taken is counted. bias_of(i) returns the biases of the tile's row i. A row with a
    // score of NaN is never dropped.
    template <class BiasOf>
    int rows_to_keep(int rows, const float* scores, float scale, const BiasOf& bias_of) {
        if (!narrowed_ || !negligible(rows - 1, scores, scale, bias_of(rows - 1))) {
            return rows;
        }
        int counting = rows - 1;
        while (counting > 0 && negligible(counting - 1, scores, scale, bias_of(counting - 1))) {
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
            if (Simd::any_above_or_nan(sums[v], Simd::set(1.0f))) {
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
    static constexpr float kQuarter = 2.0f, kSixteenth = 4.0f, kTileShare = 2.0f;  // as exponents of 2
    // If each weight of a tile is below 2^kNegligible of the limit, a bound on their sum is good enough.
    static constexpr float kNegligible = -11.0f;
    static constexpr float kLog2Tile = 6.0f;       // log2(kTile)
    static constexpr float kRoundedUp = 1.00001f;  // covers the rounding errors of fp32 sums of squares

    // An upper bound of log2 of the sum of exp(-slope n) over all n >= 0, which is 1 / (1 - exp(-slope)): 1 -
    // exp(-slope) is at least slope / (1 + slope).
    static float log2_of_sum(double slope) { return __builtin_log2f(static_cast<float>((1.0 + slope) / slope)); }

    // row|^2 of a query of any type, in fp32.
    template <class T>
    float square(const T* row) const {
        Simd::Vec sum = Simd::zero();
        for (int d = 0; d < a_.head_dim; d += kWidth) {
            const Simd::Vec x = load_wide(row + d, min_of(kWidth, a_.head_dim - d));
            sum = Simd::fma(x, x, sum);
        }
        return Simd::sum(sum);
    }

    // What the bias takes off the score (base 2) of a block's nearest key with the first query; of terms by place, off
    // the sum of this key's and of all keys before it.
    [[nodiscard]] float nearest_of(int block, int first_query) const {
        const float by_distance = slope_ * static_cast<float>(first_query - (block * kTile + kTile - 1));
        if (column_tails_ == nullptr && rows_ == nullptr) return by_distance;
        const double tail = column_tails_ != nullptr ? column_tails_[block] : 0.0;
        return by_distance - static_cast<float>((first_term_ + tail) * kLog2e);
    }
    // What the distance table says of row i, where it says anything: the tail of the block's nearest key, in base 2.
    [[nodiscard]] float table_tail(int block, int first_query, int i) const {
        return table_tails_ == nullptr ? 0.0f : distances_from(block, first_query)[i] * kLog2e;
    }
    [[nodiscard]] const float* distances_from(int block, int first_query) const {
        return table_tails_ + max_of(0, first_query - (block * kTile + kTile - 1));
    }
    static int whole_groups(int rows, int all) { return min_of(all, (rows + kRowGroup - 1) / kRowGroup * kRowGroup); }

    [[nodiscard]] bool needed(int block, int first_query) const {
        const Simd::Vec longest = Simd::set(max_key_norms_[block]);
        const Simd::Vec nearest = Simd::set(nearest_of(block, first_query));
        for (int at = 0; at < kTile; at += kWidth) {
            Simd::Vec most = Simd::fma(Simd::load(reach_ + at), longest, Simd::load(need_ + at));
            if (table_tails_ != nullptr)
                most = Simd::fma(Simd::load(distances_from(block, first_query) + at), Simd::set(kLog2e), most);
            if (Simd::any_above_or_nan(most, nearest)) {
                return true;
            }
        }
        return false;
    }

    // Whether row i of a tile weighs less than one tile may. If so, taken_[i] becomes its weight, or an upper bound, as
    // a share of that limit.
    bool negligible(int i, const float* scores, float scale, const float* bias) {
        const Simd::Vec factor = Simd::set(scale);
        const Simd::Vec limit = Simd::set(limit_[i]);
        Simd::Vec x[kTile / kWidth];
        Simd::Vec top = Simd::set(-__builtin_inff());
        for (int v = 0; v < kTile / kWidth; ++v) {
            x[v] = Simd::sub(
                Simd::fma(Simd::load(scores + i * kTile + v * kWidth), factor, Simd::load(bias + v * kWidth)), limit);
            if (Simd::any_above_or_nan(x[v], Simd::zero())) {
                return false;
            }
            top = Simd::max(x[v], top);
        }
        if (!Simd::any_above_or_nan(top, Simd::set(kNegligible))) {
            // An upper bound: as if all kTile weights were the largest.
            taken_[i] = Simd::largest(exp2_of(Simd::add(top, Simd::set(kLog2Tile)))) * kRoundedUp;
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
    bool enabled_, head_enabled_ = false, narrowed_ = false;
    const float* max_key_norms_ = nullptr;
    const double *column_tails_ = nullptr, *rows_ = nullptr;  // of the head; null: there are none
    const float* table_tails_ = nullptr;
    double first_term_ = 0.0;  // of rows_, that of the block's first query
    float slope_ = 0.0f, tail_ = 0.0f, tile_tail_ = 0.0f, threshold_ = 0.0f;
    // For each row: a block is not needed if reach_ * max_key_norms_[block] + need_ < nearest_of(block). limit_ is log2
    // of what the weights of one dropped tile may sum to, taken_ what the current tile's would take of that, and
    // dropped_ the part of the row's whole share that dropped tiles have used.
    float *reach_, *need_, *limit_, *dropped_, *taken_;
};

}  // namespace
}  // namespace longbow::cpu
