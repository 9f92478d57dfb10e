// Makes the table of first key blocks on the GPU (../skip_table.h has the rule), equal to the CPU's number for number:
// each dot product has the same eight partial sums in the same order, products and sums are not fused, and the decision
// is made in fp64. The tail of a slope is computed once a head (../slope_tail.h). Only the tails of terms by column are
// summed in another order, which changes their last bits.
#pragma once

#include <cstring>

#include "../slope_tail.h"
#include "launch.h"
#include "scores.h"

namespace longbow::cuda {

constexpr int kLanesOfDot = 8;

LONGBOW_DEVICE float widen(float x) { return x; }
LONGBOW_DEVICE float widen(Bf16 x) { return device::float_of(static_cast<std::uint32_t>(x.bits) << 16); }
LONGBOW_DEVICE float widen(F16 x) { return device::f16_to_float(x.bits); }

// Eight neighbouring lanes compute the dot product together, and all of them get the result.
template <class T>
LONGBOW_DEVICE float dot(const T* a, const T* b, int count, const Lane& lane) {
    float sum = 0.0f;
    for (int d = lane.lane % kLanesOfDot; d < count; d += kLanesOfDot) {
        sum = device::add_rounded(sum, device::multiply_rounded(widen(a[d]), widen(b[d])));
    }
    LONGBOW_UNROLL
    for (int mask = kLanesOfDot / 2; mask > 0; mask /= 2)
        sum = device::add_rounded(sum, device::shuffle_xor(sum, mask));
    return sum;
}

// Returns the larger number, or NaN if either is NaN.
LONGBOW_DEVICE float larger_or_nan(float a, float b) { return a != a || a > b ? a : b; }

// Computes the largest |k|^2 of each block of 64 keys.
template <class T>
struct LongestKeysKernel {
    static constexpr int kThreads = 128;
    static constexpr int kBlocks = 0;
    static constexpr int kGroups = kThreads / kLanesOfDot;
    static constexpr int kSharedBytes = kGroups * 4;

    longbow_attention call;
    float* longest;  // [batch, heads, key blocks]

    LONGBOW_DEVICE void operator()() const {
        const Lane lane;
        const int head = device::block_y();
        const int batch = device::block_z();
        const Scores scores(call, batch, head);
        const Matrix<T> k(call.k, batch, kv_head_of(call, head));
        const int group = device::thread() / kLanesOfDot;
        float most = 0.0f;
        for (int i = group; i < kSkipBlock; i += kGroups) {
            const int row = device::block_x() * kSkipBlock + i;
            // All lanes must take part in the shuffles, also those without a row.
            const int count = row < scores.keys ? call.head_dim : 0;
            const T* const key = k.at(count > 0 ? row : 0, 0);
            most = larger_or_nan(dot(key, key, count, lane), most);
        }
        const device::SharedAddress base = device::shared_memory();
        if (lane.lane % kLanesOfDot == 0) device::store_shared(base + static_cast<std::uint32_t>(4 * group), most);
        device::sync();
        if (device::thread() != 0) return;
        for (int i = 0; i < kGroups; ++i)
            most = larger_or_nan(device::load_shared(base + static_cast<std::uint32_t>(4 * i)), most);
        longest[(static_cast<std::int64_t>(batch) * call.heads + head) * device::blocks_x() + device::block_x()] = most;
    }
};

// Rounds each product and each sum.
struct Rounded {
    static LONGBOW_DEVICE double multiply(double a, double b) { return device::multiply_rounded(a, b); }
    static LONGBOW_DEVICE double add(double a, double b) { return device::add_rounded(a, b); }
};

// Replaces each block's value by the largest of all blocks up to it, and computes the tail of the head's slope; one
// warp does one head.
struct RunningLongestKernel {
    static constexpr int kThreads = 32;
    static constexpr int kBlocks = 0;
    static constexpr int kSharedBytes = 0;

    longbow_attention call;
    float* longest;
    int blocks;
    double* slope_tails;  // [batch, heads], if there are no terms by column

    LONGBOW_DEVICE void operator()() const {
        if (call.places.column == nullptr && device::thread() == 0) {
            const int batch = device::block_x() / call.heads, head = device::block_x() % call.heads;
            slope_tails[device::block_x()] =
                slope_tail<Rounded>(static_cast<double>(call.slopes[batch * call.slopes_batch + head]));
        }
        float* const values = longest + static_cast<std::int64_t>(device::block_x()) * blocks;
        const int lane = device::thread();
        float before = 0.0f;
        for (int first = 0; first < blocks; first += kThreads) {
            float value = first + lane < blocks ? values[first + lane] : 0.0f;
            value = larger_or_nan(before, value);
            LONGBOW_UNROLL
            for (int step = 1; step < kThreads; step *= 2) {
                const float other = device::shuffle(value, lane >= step ? lane - step : lane);
                value = larger_or_nan(other, value);
            }
            if (first + lane < blocks) values[first + lane] = value;
            before = device::shuffle(value, kThreads - 1);
        }
    }
};

LONGBOW_DEVICE double shuffle_xor_wide(double x, int mask) {
    std::uint32_t words[2];
    std::memcpy(words, &x, sizeof x);
    LONGBOW_UNROLL
    for (auto& word : words) word = device::shuffle_xor(word, mask);
    std::memcpy(&x, words, sizeof x);
    return x;
}

// Computes the logarithm of the sum of exp(column) over the keys of each block of 64; one warp does one block.
struct ColumnBlocksKernel {
    static constexpr int kThreads = 32;
    static constexpr int kBlocks = 0;
    static constexpr int kSharedBytes = 0;

    longbow_attention call;
    double* tails;  // [batch, heads, key blocks]

    LONGBOW_DEVICE void operator()() const {
        const int head = device::block_y();
        const int batch = device::block_z();
        const Scores scores(call, batch, head);
        const double* const columns =
            call.places.column + batch * call.places.column_batch + static_cast<std::int64_t>(head) * call.key_length;
        const double none = -static_cast<double>(infinity());
        double terms[2];
        float most = -infinity();  // any number near the largest will do
        LONGBOW_UNROLL
        for (int i = 0; i < 2; ++i) {
            const int key = device::block_x() * kSkipBlock + i * kThreads + device::thread();
            terms[i] = key < scores.keys ? columns[key] : none;
            most = larger_or_nan(static_cast<float>(terms[i]), most);
        }
        LONGBOW_UNROLL
        for (int mask = kThreads / 2; mask > 0; mask /= 2) most = larger_or_nan(device::shuffle_xor(most, mask), most);
        const double base = most == -infinity() ? 0.0 : static_cast<double>(most);
        double sum = exp(terms[0] - base) + exp(terms[1] - base);
        LONGBOW_UNROLL
        for (int mask = kThreads / 2; mask > 0; mask /= 2) sum += shuffle_xor_wide(sum, mask);
        if (device::thread() != 0) return;
        tails[(static_cast<std::int64_t>(batch) * call.heads + head) * device::blocks_x() + device::block_x()] =
            sum == 0.0 ? none : base + log(sum);
    }
};

// Replaces each block's value by that of all keys up to the block's end; one thread does one head.
struct ColumnTailsKernel {
    static constexpr int kThreads = 32;
    static constexpr int kBlocks = 0;
    static constexpr int kSharedBytes = 0;

    double* tails;
    int heads, blocks;  // heads: of all of the batch

    LONGBOW_DEVICE void operator()() const {
        const int head = device::block_x() * kThreads + device::thread();
        if (head >= heads) return;
        double* const values = tails + static_cast<std::int64_t>(head) * blocks;
        double before = -static_cast<double>(infinity());
        for (int block = 0; block < blocks; ++block) {
            const double here = values[block];
            // Without any key yet, and with NaN, the other number says all.
            const bool first = before == -static_cast<double>(infinity());
            const double top = before > here ? before : here;
            const double rest = before > here ? here - before : before - here;
            before = first ? here : (here != here ? here : top + log1p(exp(rest)));
            values[block] = before;
        }
    }
};

// Finds the first block of keys that each block of queries must visit. kTerms: the bias has terms by row and column.
template <class T, bool kTerms>
struct FirstBlocksKernel {
    static constexpr int kThreads = 128;
    static constexpr int kBlocks = 0;
    static constexpr int kGroups = kThreads / kLanesOfDot;
    static constexpr int kSharedBytes = kGroups * 4;

    longbow_attention call;
    const float* longest;  // from RunningLongestKernel
    const double* tails;   // from ColumnTailsKernel if there are terms, else RunningLongestKernel's of slopes
    int key_blocks;
    float threshold;
    std::int32_t* first;  // [batch, heads, query blocks]

    LONGBOW_DEVICE void operator()() const {
        const Lane lane;
        const int head = device::block_y();
        const int batch = device::block_z();
        const std::int64_t head_index = static_cast<std::int64_t>(batch) * call.heads + head;
        const Scores scores(call, batch, head);
        const Matrix<T> q(call.q, batch, head), k(call.k, batch, kv_head_of(call, head));
        const bool sloped = !kTerms || call.slopes != nullptr;
        const float slope = sloped ? call.slopes[batch * call.slopes_batch + head] : 0.0f;
        // A slope's tail accounts for the sum over all further keys; the tails of terms are sums already.
        const double tail = kTerms ? 0.0 : tails[head_index];
        const bool falls = slope > 0.0f || (kTerms && slope == 0.0f);
        const int group = device::thread() / kLanesOfDot;
        const int first_row = device::block_x() * kSkipBlock;
        int needed = scores.offset >= 0 && falls ? (scores.offset + first_row) / kSkipBlock : 0;
        for (int i = group; i < kSkipBlock; i += kGroups) {
            const int row = first_row + i;
            const int position = row + scores.offset;
            const bool counts = row < scores.queries && position >= 0;
            const int count = counts ? call.head_dim : 0;
            const T* const query = q.at(counts ? row : 0, 0);
            const double length = sqrt(static_cast<double>(dot(query, query, count, lane)));
            const double own = static_cast<double>(dot(query, k.at(counts ? position : 0, 0), count, lane));
            if (!counts || needed == 0) continue;
            RowOfTable of_row{position, length, own, tail, 0.0};
            if constexpr (kTerms) {
                const longbow_places& places = call.places;
                const auto at = [&](const double* terms, std::int64_t stride, int rows, int index) {
                    return terms != nullptr ? terms[batch * stride + static_cast<std::int64_t>(head) * rows + index]
                                            : 0.0;
                };
                of_row.tail = at(places.row, places.row_batch, call.query_length, row);
                of_row.own_bias = of_row.tail + at(places.column, places.column_batch, call.key_length, position);
            }
            needed = first_needed(needed, head_index, of_row, slope);
        }
        const device::SharedAddress base = device::shared_memory();
        if (lane.lane % kLanesOfDot == 0)
            device::store_shared(base + static_cast<std::uint32_t>(4 * group),
                                 device::float_of(static_cast<std::uint32_t>(needed)));
        device::sync();
        if (device::thread() != 0) return;
        for (int i = 0; i < kGroups; ++i) {
            needed = min_of(
                needed,
                static_cast<int>(device::bits_of(device::load_shared(base + static_cast<std::uint32_t>(4 * i)))));
        }
        first[head_index * device::blocks_x() + device::block_x()] = needed;
    }

private:
    struct RowOfTable {
        int position;
        double length, own;     // |query|, query . its own key
        double tail, own_bias;  // what a tail has beside the slope's and the columns' part; the bias of the own key
    };

    // Returns the first block below `end` that a row needs, or `end`. Its bound grows with the block, so a binary
    // search finds it.
    LONGBOW_DEVICE int first_needed(int end, std::int64_t head_index, const RowOfTable& row, float slope) const {
        const double reach = device::multiply_rounded(row.length, static_cast<double>(fabsf(call.scale)));
        double self = device::multiply_rounded(row.own, static_cast<double>(call.scale));
        if constexpr (kTerms) self = device::add_rounded(self, row.own_bias);
        int low = 0;
        while (low < end) {
            const int block = (low + end) / 2;
            const double key = sqrt(static_cast<double>(longest[head_index * key_blocks + block]));
            const double distance = row.position - (block * kSkipBlock + kSkipBlock - 1);
            const double bound = device::add_rounded(device::multiply_rounded(reach, key),
                                                     -device::multiply_rounded(static_cast<double>(slope), distance));
            double tail = row.tail;
            if constexpr (kTerms) tail = device::add_rounded(tail, tails[head_index * key_blocks + block]);
            const double excess = device::add_rounded(device::add_rounded(bound, tail), -self);
            if (excess < -static_cast<double>(threshold)) {
                low = block + 1;
            } else {
                end = block;
            }
        }
        return end;
    }
};

}  // namespace longbow::cuda
