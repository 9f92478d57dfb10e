// Prepares the parts of a bias that depend on where a query or a key stands (longbow_places). Numbers of fp64 become
// pairs of fp32 whose sum keeps 48 bits, because GPUs add fp32 many times faster. The difference of two pairs is as
// accurate as an fp64 difference that is rounded once, however large the two are. All arrays are padded to whole tiles,
// so that the kernels read them without looking where they end.
#pragma once

#include <type_traits>

#include "launch.h"
#include "row_terms.h"
#include "scores.h"

namespace longbow::cuda {

// A number: `high` is it rounded to fp32, `low` what is missing.
struct alignas(8) Pair {
    float high, low;
};
// Two neighbours, which are loaded at once.
struct alignas(16) TwoPairs {
    Pair pair[2];
};
struct alignas(8) TwoFloats {
    float value[2];
};

LONGBOW_DEVICE Pair pair_of(double x) {
    const auto high = static_cast<float>(x);
    const bool finite = fabsf(high) < infinity();
    return {high, finite ? static_cast<float>(x - static_cast<double>(high)) : 0.0f};
}

// A position as its whole part and the rest, so that the whole part of a distance is found exactly.
LONGBOW_DEVICE Pair parts_of_position(double x) {
    constexpr double kFar = 1 << 23;  // further away fp32 has no rest
    if (!(fabs(x) < kFar)) return pair_of(x);
    const double whole = floor(x);
    return {static_cast<float>(whole), static_cast<float>(x - whole)};
}

// The arrays of the queries or of the keys. Terms and slopes that are absent are null, for both sides alike.
struct PlaceSide {
    Pair* terms;      // [batch, heads, padded length]: of a row or a column, times log2(e)
    float* slopes;    // [batch, heads, padded length], times log2(e)
    Pair* positions;  // [padded length], as parts_of_position(); indices if none are given
};

struct PlaceArrays {
    PlaceSide queries, keys;
};

inline std::int64_t padded_keys(const longbow_attention& call) {
    return static_cast<std::int64_t>((call.key_length + kRowPadding - 1) / kRowPadding) * kRowPadding;
}

// Whether the bias is more than slopes or a table by the distance between indices. A sink logit alone is not: the
// operator adds it to what the kernels have computed.
inline bool has_places(const longbow_attention& call) {
    const longbow_places& places = call.places;
    return places.row != nullptr || places.column != nullptr || places.query_slopes != nullptr ||
           places.key_slopes != nullptr || places.positions != nullptr || places.sinks > 0 ||
           (call.slopes != nullptr && call.table != nullptr);
}

// Lays the arrays out in memory that begins at `at`, which is aligned to 16 bytes or, if only `bytes` is asked for,
// null.
struct PlaceWorkspace {
    PlaceArrays arrays{};
    std::int64_t bytes = 0;

    PlaceWorkspace(const longbow_attention& call, void* at) {
        const longbow_places& places = call.places;
        const std::int64_t heads = static_cast<std::int64_t>(call.batch) * call.heads;
        const std::int64_t queries = padded_rows(call), keys = padded_keys(call);
        auto* const base = static_cast<char*>(at);
        const auto take = [&](auto*& array, std::int64_t count) {
            using Element = std::remove_reference_t<decltype(*array)>;
            array = base != nullptr ? reinterpret_cast<Element*>(base + bytes) : nullptr;
            bytes += count * static_cast<std::int64_t>(sizeof(Element));
        };
        if (places.row != nullptr || places.column != nullptr) {
            take(arrays.queries.terms, heads * queries);
            take(arrays.keys.terms, heads * keys);
        }
        if (places.query_slopes != nullptr || places.key_slopes != nullptr) {
            take(arrays.queries.slopes, heads * queries);
            take(arrays.keys.slopes, heads * keys);
        }
        if (!has_places(call)) return;
        take(arrays.queries.positions, queries);
        take(arrays.keys.positions, keys);
    }
};

// Fills the arrays; one thread does one place of one head.
struct PlaceTermsKernel {
    static constexpr int kThreads = 128;
    static constexpr int kBlocks = 0;
    static constexpr int kSharedBytes = 0;

    longbow_attention call;
    PlaceArrays arrays;
    int queries, keys;  // padded lengths

    static PlaceTermsKernel of(const longbow_attention& call, const PlaceArrays& arrays) {
        return {call, arrays, static_cast<int>(padded_rows(call)), static_cast<int>(padded_keys(call))};
    }
    [[nodiscard]] Grid grid() const {
        const int longest = queries > keys ? queries : keys;
        return {(longest + kThreads - 1) / kThreads, call.heads, call.batch};
    }

    LONGBOW_DEVICE void operator()() const {
        const int at = device::block_x() * kThreads + device::thread();
        const int head = device::block_y();
        const int batch = device::block_z();
        const std::int64_t head_index = static_cast<std::int64_t>(batch) * call.heads + head;
        const longbow_places& places = call.places;
        if (at < queries) {
            const std::int64_t to = head_index * queries + at;
            if (arrays.queries.terms != nullptr)
                arrays.queries.terms[to] = term(places.row, places.row_batch, batch, head, call.query_length, at);
            if (arrays.queries.slopes != nullptr)
                arrays.queries.slopes[to] = slope(places.query_slopes, head_index, call.query_length, at);
            if (head_index == 0) arrays.queries.positions[at] = position(at + call.key_length - call.query_length);
        }
        if (at < keys) {
            const std::int64_t to = head_index * keys + at;
            if (arrays.keys.terms != nullptr)
                arrays.keys.terms[to] = term(places.column, places.column_batch, batch, head, call.key_length, at);
            if (arrays.keys.slopes != nullptr)
                arrays.keys.slopes[to] = slope(places.key_slopes, head_index, call.key_length, at);
            if (head_index == 0) arrays.keys.positions[at] = position(at);
        }
    }

private:
    static LONGBOW_DEVICE Pair term(const double* terms, std::int64_t stride, int batch, int head, int length, int at) {
        constexpr double kWideLog2E = 1.44269504088896340736;
        if (terms == nullptr || at >= length) return {0.0f, 0.0f};
        return pair_of(terms[batch * stride + static_cast<std::int64_t>(head) * length + at] * kWideLog2E);
    }
    static LONGBOW_DEVICE float slope(const float* slopes, std::int64_t head_index, int length, int at) {
        return slopes != nullptr && at < length ? slopes[head_index * length + at] * kLog2E : 0.0f;
    }
    LONGBOW_DEVICE Pair position(int index) const {
        const double* const given = call.places.positions;
        if (given == nullptr || call.key_length == 0) return {static_cast<float>(index), 0.0f};
        return parts_of_position(given[max_of(0, min_of(index, call.key_length - 1))]);
    }
};

inline longbow_status start_place_terms(const longbow_attention& call, const PlaceArrays& arrays) {
    const auto kernel = PlaceTermsKernel::of(call, arrays);
    return launch(kernel, kernel.grid(), call.stream);
}

}  // namespace longbow::cuda
