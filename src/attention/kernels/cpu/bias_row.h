// Holds the bias of one head as one row of numbers by signed distance: bias * log2(e) where the query sees the key,
// -infinity where it does not. Row i of a tile reads its biases as 64 consecutive numbers, so that slopes, tables,
// causality and windows cost one addition. slope * distance is computed in fp64 and rounded once, so that it is as
// accurate at any distance.
#pragma once

#include "geometry.h"
#include "simd.h"

namespace longbow::cpu {
namespace {

constexpr float kLog2e = 1.44269504088896340736f;
constexpr float kLn2 = 0.693147180559945309417f;

class BiasRow {
public:
    // Floats that `data` must hold.
    static std::int64_t size(const longbow_attention& a) { return std::int64_t{reach_back(a)} + reach_ahead(a); }

    void fill(const longbow_attention& a, int batch, int head, float* data) {
        const int back = reach_back(a);
        const int ahead = reach_ahead(a);
        zero_ = data + back;  // zero_[k] is the bias for key position - query position = k
        const double slope =
            a.slopes != nullptr ? a.slopes[batch * a.slopes_batch + head] * 1.44269504088896340736 : 0.0;
        const float* table = a.table != nullptr ? a.table + static_cast<std::int64_t>(head) * a.table_length : nullptr;
        const int seen_from = a.window > 0 ? max_of(-back, 1 - a.window) : -back;
        const int seen_to = a.causal != 0 ? 1 : ahead;
        for (int k = -back; k < seen_from; ++k) {
            zero_[k] = -__builtin_inff();
        }
        for (int k = seen_from; k < 0; ++k) {
            zero_[k] = static_cast<float>(slope * k);
        }
        for (int k = max_of(0, seen_from); k < seen_to; ++k) {
            zero_[k] = static_cast<float>(-slope * k);
        }
        for (int k = seen_to; k < ahead; ++k) {
            zero_[k] = -__builtin_inff();
        }
        if (table != nullptr) {
            for (int k = seen_from; k < seen_to; ++k) {
                zero_[k] += table[min_of(k < 0 ? -k : k, a.table_length - 1)] * kLog2e;
            }
        }
    }

    // Returns the biases of a query at position `query`; element j is key j's.
    [[nodiscard]] const float* of_query(int query) const { return zero_ - query; }

private:
    // The longest distances from a query back and ahead to a key, including those that pad their blocks.
    static int reach_back(const longbow_attention& a) { return a.key_length + 2 * kTile; }
    static int reach_ahead(const longbow_attention& a) {
        return 2 * kTile + (a.causal != 0 ? 0 : max_of(a.key_length, a.query_length));
    }
    float* zero_ = nullptr;
};

}  // namespace
}  // namespace longbow::cpu
