// Makes the table of first key blocks on the GPU (../skip_table.h has the rule), equal to the CPU's number for number:
// each dot product has the same eight partial sums in the same order, products and sums are not fused, and the decision
// is made in fp64.
#pragma once

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

// Replaces each block's value by the largest of all blocks up to it; one warp does one head.
struct RunningLongestKernel {
    static constexpr int kThreads = 32;
    static constexpr int kBlocks = 0;
    static constexpr int kSharedBytes = 0;

    float* longest;
    int blocks;

    LONGBOW_DEVICE void operator()() const {
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

// Finds the first block of keys that each block of queries must visit.
template <class T>
struct FirstBlocksKernel {
    static constexpr int kThreads = 128;
    static constexpr int kBlocks = 0;
    static constexpr int kGroups = kThreads / kLanesOfDot;
    static constexpr int kSharedBytes = kGroups * 4;

    longbow_attention call;
    const float* longest;  // from RunningLongestKernel
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
        const float slope = call.slopes[batch * call.slopes_batch + head];
        // log(1 / (1 - exp(-slope))) accounts for the sum over all further keys.
        const double tail = -log1p(-exp(-static_cast<double>(slope)));
        const int group = device::thread() / kLanesOfDot;
        const int first_row = device::block_x() * kSkipBlock;
        int needed = scores.offset >= 0 && slope > 0.0f ? (scores.offset + first_row) / kSkipBlock : 0;
        for (int i = group; i < kSkipBlock; i += kGroups) {
            const int row = first_row + i;
            const int position = row + scores.offset;
            const bool counts = row < scores.queries && position >= 0;
            const int count = counts ? call.head_dim : 0;
            const T* const query = q.at(counts ? row : 0, 0);
            const double length = sqrt(static_cast<double>(dot(query, query, count, lane)));
            const double own = static_cast<double>(dot(query, k.at(counts ? position : 0, 0), count, lane));
            if (counts && needed > 0) needed = first_needed(needed, head_index, position, length, own, slope, tail);
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
    // Returns the first block below `end` that a row needs, or `end`. Its bound grows with the block, so a binary
    // search finds it.
    LONGBOW_DEVICE int first_needed(int end, std::int64_t head_index, int position, double length, double own,
                                    float slope, double tail) const {
        const double reach = device::multiply_rounded(length, static_cast<double>(fabsf(call.scale)));
        const double self = device::multiply_rounded(own, static_cast<double>(call.scale));
        int low = 0;
        while (low < end) {
            const int block = (low + end) / 2;
            const double key = sqrt(static_cast<double>(longest[head_index * key_blocks + block]));
            const double distance = position - (block * kSkipBlock + kSkipBlock - 1);
            const double bound = device::add_rounded(device::multiply_rounded(reach, key),
                                                     -device::multiply_rounded(static_cast<double>(slope), distance));
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
