// The table of skipped blocks on the CPU; ../skip_table.h has the rule.
#include "attention/kernels/skip_table.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "attention/kernels/attention.h"
#include "geometry.h"
#include "parallel.h"
#include "scratch.h"
#include "tails.h"

namespace longbow::cpu {

namespace {

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
    // Multiplies by +-2^112, which is right for denormal numbers too.
    return from_bits(sign | 0x77800000u) * from_bits(rest);
}

// Keeps eight partial sums, which the compiler holds in vector registers; n is a multiple of 8.
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

template <class T>
struct Rows {
    const T* data;
    std::int64_t stride;
    [[nodiscard]] const T* row(std::int64_t i) const { return data + i * stride; }
};

// Prefetches a row to come, because the rows of one head may lie too far apart for the hardware to predict. Prefetching
// beyond the last row does no harm: nothing is read.
template <class T>
[[gnu::always_inline]] inline void fetch_ahead(const Rows<T>& rows, std::int64_t i, int n) {
    constexpr int kAhead = 12, kLine = 64 / sizeof(T);
    for (int d = 0; d < n; d += kLine) {
        __builtin_prefetch(rows.row(i + kAhead) + d, 0, 2);
    }
}

// The dot products that the table is made of: |key|^2 of each key j, and for each query i below `queries` |query|^2 and
// query . key with its own key i + offset.
struct Dots {
    float *keys, *queries, *owns;
};

// Computes all dot products in one pass over the rows. The AVX2 clone below gives the same numbers as the default,
// because it does not use fused multiply-add, which would round differently.
template <class T>
[[gnu::always_inline]] inline void all_dots(const Rows<T>& q, const Rows<T>& k, int keys, int queries, int offset,
                                            int n, Dots& out) {
    for (int j = 0; j < keys; ++j) {
        fetch_ahead(k, j, n);
        out.keys[j] = dot(k.row(j), k.row(j), n);
        const int i = j - offset;
        if (i >= 0 && i < queries) {
            fetch_ahead(q, i, n);
            out.queries[i] = dot(q.row(i), q.row(i), n);
            out.owns[i] = dot(q.row(i), k.row(j), n);
        }
    }
}
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define LONGBOW_ALSO_AVX2 [[gnu::target_clones("avx2", "default")]]
#else
#define LONGBOW_ALSO_AVX2
#endif
LONGBOW_ALSO_AVX2 void dots(const Rows<float>& q, const Rows<float>& k, int keys, int queries, int offset, int n,
                            Dots& out) {
    all_dots(q, k, keys, queries, offset, n, out);
}
LONGBOW_ALSO_AVX2 void dots(const Rows<Bf16>& q, const Rows<Bf16>& k, int keys, int queries, int offset, int n,
                            Dots& out) {
    all_dots(q, k, keys, queries, offset, n, out);
}
LONGBOW_ALSO_AVX2 void dots(const Rows<F16>& q, const Rows<F16>& k, int keys, int queries, int offset, int n,
                            Dots& out) {
    all_dots(q, k, keys, queries, offset, n, out);
}

template <class T>
class Table {
public:
    Table(const longbow_attention& a, float threshold, Scratch& scratch)
        : a_(a),
          threshold_(threshold),
          offset_(a.key_length - a.query_length),
          dots_{scratch.take<float>(a.key_length), scratch.take<float>(a.query_length),
                scratch.take<float>(a.query_length)},
          longest_(scratch.take<double>(blocks_of(a.key_length))),
          tails_(a, threshold, scratch) {}

    void head(int batch_head, std::int32_t* first, float* longest) {
        const int batch = batch_head / a_.heads;
        const int head = batch_head % a_.heads;
        const int blocks = blocks_of(a_.query_length);
        const int keys = window_of(a_, batch).keys;
        const bool falls = tails_.start_head(batch, head, keys);
        if (a_.places.column_tails != nullptr) {
            std::copy_n(tails_.of_columns(), blocks_of(a_.key_length),
                        a_.places.column_tails + static_cast<std::int64_t>(batch_head) * blocks_of(a_.key_length));
        }
        if (a_.places.table_tails != nullptr) {
            const std::int64_t length = a_.key_length + kTile;
            std::copy_n(tails_.of_distances(), length, a_.places.table_tails + batch_head * length);
        }
        if (!falls) {
            std::fill(first, first + blocks, 0);
            if (longest != nullptr)
                std::fill(longest, longest + blocks_of(a_.key_length), std::numeric_limits<float>::infinity());
            return;
        }
        const auto rows = [&](const longbow_tensor4& t, int its_head) {
            return Rows<T>{static_cast<const T*>(t.data) + batch * t.batch + its_head * t.head, t.row};
        };
        dots(rows(a_.q, head), rows(a_.k, kv_head_of(a_, head)), keys, a_.query_length, offset_, a_.head_dim, dots_);
        find_longest_keys(keys);
        if (longest != nullptr) std::copy_n(longest_, blocks_of(a_.key_length), longest);
        for (int block = 0; block < blocks; ++block) {
            // Starts at the block of the first query's own key.
            int needed = offset_ >= 0 ? (offset_ + block * kTile) / kTile : 0;
            const int end = std::min((block + 1) * kTile, std::min(a_.query_length, keys - offset_));
            const int begin = std::max(block * kTile, -offset_);
            if (needed == 0 || begin >= end) {
                first[block] = needed;
                continue;
            }
            for (int i = begin; i < end && needed > 0; ++i) {
                const int position = offset_ + i;
                const double length = std::sqrt(static_cast<double>(dots_.queries[i])) * std::abs(a_.scale);
                const double own = static_cast<double>(dots_.owns[i]) * a_.scale + tails_.own(i, position);
                // The bound grows with the block of keys, so each row can only move `needed` to the left.
                const auto needs = [&](int key_block) {
                    return !(length * longest_[key_block] + tails_.top(i, position, key_block) + tails_.excess() - own <
                             -static_cast<double>(threshold_));
                };
                while (needed > 0 && needs(needed - 1)) {
                    --needed;
                }
            }
            first[block] = needed;
        }
    }

private:
    // Sets longest_[b] to the largest |k| in blocks 0 .. b, or to NaN if one of them is NaN.
    void find_longest_keys(int keys) {
        std::fill_n(longest_, blocks_of(a_.key_length), 0.0);
        float longest = 0.0f;
        for (int j = 0; j < keys; ++j) {
            longest = dots_.keys[j] > longest || std::isnan(dots_.keys[j]) ? dots_.keys[j] : longest;
            longest_[j / kTile] = std::sqrt(static_cast<double>(longest));
        }
    }

    const longbow_attention& a_;
    float threshold_;
    int offset_;
    Dots dots_;
    double* longest_;
    Tails tails_;
};

std::int64_t scratch_of(const longbow_attention& a) {
    Scratch counter(nullptr);
    Table<float>(a, 0.0f, counter);
    return counter.used();
}

template <class T>
void fill(const longbow_attention& a, float threshold, std::int32_t* first, float* longest) {
    const std::int64_t heads = std::int64_t{a.batch} * a.heads;
    const int tasks = static_cast<int>(std::clamp<std::int64_t>(heads, 1, std::max(1, a.threads)));
    run(a.parallel, tasks, [&](int task) {
        Scratch scratch(static_cast<char*>(a.workspace) + scratch_of(a) * task);
        Table<T> table(a, threshold, scratch);
        for (auto head = heads * task / tasks; head < heads * (task + 1) / tasks; ++head) {
            table.head(static_cast<int>(head), first + head * blocks_of(a.query_length),
                       longest == nullptr ? nullptr : longest + head * blocks_of(a.key_length));
        }
    });
}

}  // namespace

}  // namespace longbow::cpu

std::int64_t longbow_attention_cpu_skip_table_workspace(const longbow_attention* call) {
    return longbow::cpu::scratch_of(*call) * std::max(1, call->threads);
}

longbow_status longbow_attention_cpu_skip_table(const longbow_attention* call, float threshold, std::int32_t* first,
                                                float* longest) {
    using namespace longbow::cpu;
    switch (call->dtype) {
        case LONGBOW_F32: fill<float>(*call, threshold, first, longest); return LONGBOW_OK;
        case LONGBOW_BF16: fill<Bf16>(*call, threshold, first, longest); return LONGBOW_OK;
        case LONGBOW_F16: fill<F16>(*call, threshold, first, longest); return LONGBOW_OK;
        default: return LONGBOW_UNSUPPORTED;
    }
}

bool longbow_attention_can_skip(const longbow_attention* call, float threshold) {
    const longbow_places& places = call->places;
    const bool by_table = call->table != nullptr && places.skip_by_table != 0 && places.column == nullptr;
    const bool falls = call->slopes != nullptr || places.column != nullptr || by_table;
    const bool known = (call->table == nullptr || by_table) && places.query_slopes == nullptr &&
                       places.key_slopes == nullptr && places.positions == nullptr;
    // Two blocks and fewer: the next block to the left is at distance 1.
    return call->causal != 0 && falls && known && call->query_length > 1 && std::isfinite(threshold) &&
           call->key_length > 2 * LONGBOW_BLOCK;
}
