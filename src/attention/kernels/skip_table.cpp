#include "skip_table.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "attention/kernels/cpu/geometry.h"

namespace longbow {

namespace {

using cpu::blocks_of;
using cpu::kTile;

float wide(float x) { return x; }

struct Bf16 {
    std::uint16_t bits;
};
struct F16 {
    std::uint16_t bits;
};

float from_bits(std::uint32_t bits) {
    float x = 0.0f;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}
float wide(Bf16 x) { return from_bits(std::uint32_t{x.bits} << 16); }
float wide(F16 x) {
    const std::uint32_t sign = std::uint32_t{x.bits & 0x8000u} << 16;
    const std::uint32_t rest = std::uint32_t{x.bits & 0x7FFFu} << 13;
    if (rest >= 0x0F800000u) {
        return from_bits(sign | 0x7F800000u | rest);  // infinities and NaNs
    }
    return from_bits(sign | 0x77800000u) * from_bits(rest);  // +-2^112 times: denormal numbers come right too
}

// Eight sums side by side, which the compiler keeps in vectors; head_dim is a multiple of 8.
template <class T>
[[gnu::always_inline]] inline float dot(const T* a, const T* b, int n) {
    float sums[8] = {};
    for (int d = 0; d < n; d += 8) {
        for (int lane = 0; lane < 8; ++lane) {
            sums[lane] += wide(a[d + lane]) * wide(b[d + lane]);
        }
    }
    return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

// out[i] = a_i . b_i of `count` rows. With AVX2 where there is (but no fused multiply-add, which would round differently), the same numbers.
template <class T>
[[gnu::always_inline]] inline void dot_rows(const T* a, std::int64_t a_row, const T* b, std::int64_t b_row, int count, int n, float* out) {
    for (int i = 0; i < count; ++i) {
        out[i] = dot(a + i * a_row, b + i * b_row, n);
    }
}
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define LONGBOW_ALSO_AVX2 [[gnu::target_clones("avx2", "default")]]
#else
#define LONGBOW_ALSO_AVX2
#endif
LONGBOW_ALSO_AVX2 void dots(const float* a, std::int64_t a_row, const float* b, std::int64_t b_row, int count, int n, float* out) {
    dot_rows(a, a_row, b, b_row, count, n, out);
}
LONGBOW_ALSO_AVX2 void dots(const Bf16* a, std::int64_t a_row, const Bf16* b, std::int64_t b_row, int count, int n, float* out) {
    dot_rows(a, a_row, b, b_row, count, n, out);
}
LONGBOW_ALSO_AVX2 void dots(const F16* a, std::int64_t a_row, const F16* b, std::int64_t b_row, int count, int n, float* out) {
    dot_rows(a, a_row, b, b_row, count, n, out);
}

template <class T>
class Table {
public:
    Table(const longbow_attention& a, float threshold) : a_(a), threshold_(threshold), offset_(a.key_length - a.query_length) {}

    void head(int batch_head, std::int32_t* first, float* longest) {
        const int batch = batch_head / a_.heads;
        const int head = batch_head % a_.heads;
        const int blocks = blocks_of(a_.query_length);
        const float slope = a_.slopes[batch * a_.slopes_batch + head];
        if (!(slope > 0.0f)) {
            std::fill(first, first + blocks, 0);
            if (longest != nullptr) std::fill(longest, longest + blocks_of(a_.key_length), std::numeric_limits<float>::infinity());
            return;
        }
        const int keys = cpu::window_of(a_, batch).keys;
        const auto* q = static_cast<const T*>(a_.q.data) + batch * a_.q.batch + head * a_.q.head;
        const auto* k = static_cast<const T*>(a_.k.data) + batch * a_.k.batch + head * a_.k.head;
        find_longest_keys(k, keys);
        if (longest != nullptr) std::copy_n(longest_.begin(), blocks_of(a_.key_length), longest);
        const double tail = -std::log1p(-std::exp(-static_cast<double>(slope)));  // of the geometric sum over all further keys
        for (int block = 0; block < blocks; ++block) {
            int needed = offset_ >= 0 ? (offset_ + block * kTile) / kTile : 0;  // the block of the first query's own key
            const int end = std::min((block + 1) * kTile, std::min(a_.query_length, keys - offset_));
            const int begin = std::max(block * kTile, -offset_);
            if (needed == 0 || begin >= end) {
                first[block] = needed;
                continue;
            }
            float squares[kTile], owns[kTile];
            dots(q + begin * a_.q.row, a_.q.row, q + begin * a_.q.row, a_.q.row, end - begin, a_.head_dim, squares);
            dots(q + begin * a_.q.row, a_.q.row, k + (offset_ + begin) * a_.k.row, a_.k.row, end - begin, a_.head_dim, owns);
            for (int i = begin; i < end && needed > 0; ++i) {
                const int position = offset_ + i;
                const double length = std::sqrt(static_cast<double>(squares[i - begin])) * std::abs(a_.scale);
                const double own = static_cast<double>(owns[i - begin]) * a_.scale;
                // What a row needs grows with the block, so that each row only moves `needed` to the left.
                const auto needs = [&](int key_block) {
                    const double distance = position - (key_block * kTile + kTile - 1);
                    return !(length * longest_[key_block] - slope * distance + tail - own < -static_cast<double>(threshold_));
                };
                while (needed > 0 && needs(needed - 1)) {
                    --needed;
                }
            }
            first[block] = needed;
        }
    }

private:
    // longest_[b]: the largest |k| in blocks 0 .. b; NaN where any is.
    void find_longest_keys(const T* k, int keys) {
        longest_.assign(static_cast<std::size_t>(blocks_of(a_.key_length)) + 1, 0.0);
        float longest = 0.0f;
        for (int begin = 0; begin < keys; begin += kTile) {
            const int count = std::min(kTile, keys - begin);
            float squares[kTile];
            dots(k + begin * a_.k.row, a_.k.row, k + begin * a_.k.row, a_.k.row, count, a_.head_dim, squares);
            for (int j = 0; j < count; ++j) {
                longest = squares[j] > longest || std::isnan(squares[j]) ? squares[j] : longest;
            }
            longest_[begin / kTile] = std::sqrt(static_cast<double>(longest));
        }
    }

    const longbow_attention& a_;
    float threshold_;
    int offset_;
    std::vector<double> longest_;
};

template <class T>
void fill(const longbow_attention& a, float threshold, std::int32_t* first, float* longest, int begin, int end) {
    Table<T> table(a, threshold);
    for (std::int64_t head = begin; head < end; ++head) {
        table.head(static_cast<int>(head), first + head * blocks_of(a.query_length),
                   longest == nullptr ? nullptr : longest + head * blocks_of(a.key_length));
    }
}

}  // namespace

}  // namespace longbow

void longbow_skip_table(const longbow_attention* params, float threshold, std::int32_t* first, float* longest, std::int32_t begin,
                        std::int32_t end) {
    switch (params->dtype) {
        case LONGBOW_BF16: longbow::fill<longbow::Bf16>(*params, threshold, first, longest, begin, end); break;
        case LONGBOW_F16: longbow::fill<longbow::F16>(*params, threshold, first, longest, begin, end); break;
        default: longbow::fill<float>(*params, threshold, first, longest, begin, end); break;
    }
}

bool longbow_skip_table_helps(const longbow_attention* params, float threshold) {
    // Two blocks and fewer: the next block to the left is at distance 1.
    return params->causal != 0 && params->slopes != nullptr && params->table == nullptr && params->query_length > 1 &&
           std::isfinite(threshold) && params->key_length > 2 * longbow::cpu::kTile;
}
