// Computes what the rule of ../skip_table.h asks of a bias: the tail of each query and block of keys.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "attention/kernels/slope_tail.h"
#include "geometry.h"
#include "scratch.h"

namespace longbow::cpu {
namespace {

// Rounds each product and each sum: skip_table.cpp is compiled without fused operations.
struct Rounded {
    static double multiply(double a, double b) { return a * b; }
    static double add(double a, double b) { return a + b; }
};

class Tails {
public:
    Tails(const longbow_attention& a, float threshold, Scratch& scratch)
        : a_(a),
          threshold_(threshold),
          columns_(a.places.column != nullptr ? scratch.take<double>(blocks_of(a.key_length)) : nullptr),
          distances_(a.table != nullptr ? scratch.take<float>(a.key_length + kTile) : nullptr) {}

    // Prepares for a head of which `keys` keys exist. Returns false if its bias does not fall with the distance, so
    // that nothing can be skipped.
    bool start_head(int batch, int head, int keys) {
        const longbow_places& places = a_.places;
        slope_ = a_.slopes != nullptr ? a_.slopes[batch * a_.slopes_batch + head] : 0.0f;
        row_ = places.row != nullptr
                   ? places.row + batch * places.row_batch + static_cast<std::int64_t>(head) * a_.query_length
                   : nullptr;
        column_ = places.column != nullptr
                      ? places.column + batch * places.column_batch + static_cast<std::int64_t>(head) * a_.key_length
                      : nullptr;
        if (column_ != nullptr) sum_columns(keys);
        if (distances_ != nullptr && !sum_distances(a_.table + static_cast<std::int64_t>(head) * a_.table_length))
            return false;
        const bool summed = column_ != nullptr || distances_ != nullptr;
        excess_ = summed ? 0.0 : slope_tail<Rounded>(slope_);
        return summed ? slope_ >= 0.0f : slope_ > 0.0f;
    }

    // A tail is top() + excess(); the slope's excess is that of the geometric series over all further keys.
    [[nodiscard]] double top(int query, int position, int key_block) const {
        const double distance = position - (key_block * kTile + kTile - 1);
        const double by_slope = -(slope_ * distance);
        if (distances_ != nullptr) {
            const int nearest = position - (key_block * kTile + kTile - 1);
            return distances_[std::max(nearest, 0)] + term_of(row_, query) + by_slope;
        }
        if (row_ == nullptr && column_ == nullptr) return by_slope;
        return term_of(row_, query) + term_of(columns_, key_block) + by_slope;
    }
    [[nodiscard]] double excess() const { return excess_; }
    // The bias of a query with the key at its own position.
    [[nodiscard]] double own(int query, int position) const {
        return term_of(row_, query) + term_of(column_, position) + own_distance_;
    }
    // [blocks of keys]: the logarithm of the sum of exp(column) over the keys up to each block's end; null without
    // columns.
    [[nodiscard]] const double* of_columns() const { return columns_; }
    // [key_length + kTile]: that of exp(table) over the keys at each distance or further away; null without a table.
    [[nodiscard]] const float* of_distances() const { return distances_; }

private:
    static double term_of(const double* terms, int i) { return terms != nullptr ? terms[i] : 0.0; }

    // A NaN makes the sums of its block and of all later ones NaN, which skips none of them.
    void sum_columns(int keys) {
        // Terms that are this much smaller than the largest do not change a sum of fp64.
        constexpr double kNegligible = 45.0;
        double most = -std::numeric_limits<double>::infinity(), sum = 0.0;
        for (int block = 0; block < blocks_of(a_.key_length); ++block) {
            const int begin = block * kTile, end = std::min(begin + kTile, keys);
            double top = most;
            for (int j = begin; j < end; ++j) top = column_[j] > top || std::isnan(column_[j]) ? column_[j] : top;
            if (top != most) sum *= std::exp(most - top);
            most = top;
            if (most == -std::numeric_limits<double>::infinity()) {
                columns_[block] = most;
                continue;
            }
            for (int j = begin; j < end; ++j) {
                const double term = column_[j] - most;
                if (!(term < -kNegligible)) sum += std::exp(term);
            }
            columns_[block] = most + std::log(sum);
        }
    }

    // Sums from the furthest distance on; each tail is rounded up. Returns false, after the furthest block, if not even
    // that could be skipped by queries whose keys are all alike.
    bool sum_distances(const float* table) {
        constexpr double kNone = -std::numeric_limits<double>::infinity(), kRoundedUp = 1e-6;
        own_distance_ = static_cast<double>(table[0]);
        double most = kNone, sum = 0.0;
        for (int distance = a_.key_length + kTile - 1; distance >= 0; --distance) {
            const auto here = static_cast<double>(table[std::min(distance, a_.table_length - 1)]);
            if (here > most || std::isnan(here)) {
                sum = most == kNone ? 0.0 : sum * std::exp(most - here);
                most = here;
            }
            if (most != kNone) sum += std::exp(here - most);
            const double tail = most == kNone ? kNone : most + std::log(sum) + kRoundedUp * (1.0 + std::abs(most));
            distances_[distance] = static_cast<float>(tail);
            if (distance == a_.key_length - kTile && !(tail - own_distance_ < -threshold_)) return false;
        }
        return true;
    }

    const longbow_attention& a_;
    double threshold_;
    double* columns_;
    float* distances_;
    double own_distance_ = 0.0;
    const double *row_ = nullptr, *column_ = nullptr;
    float slope_ = 0.0f;
    double excess_ = 0.0;
};

}  // namespace
}  // namespace longbow::cpu
