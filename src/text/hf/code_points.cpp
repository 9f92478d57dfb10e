#include "code_points.h"

#include <algorithm>

namespace longbow::hf {

namespace {

constexpr char32_t kLast = 0x10FFFF, kFirstSurrogate = 0xD800, kLastSurrogate = 0xDFFF;

}  // namespace

CodePoints CodePoints::range(char32_t first, char32_t last) {
    CodePoints points;
    if (first < kFirstSurrogate) points.ranges_.push_back({first, std::min<char32_t>(last, kFirstSurrogate - 1)});
    if (last > kLastSurrogate) points.ranges_.push_back({std::max<char32_t>(first, kLastSurrogate + 1), last});
    return points;
}

CodePoints CodePoints::where(const std::function<bool(char32_t)>& holds) {
    CodePoints points;
    auto& ranges = points.ranges_;
    for (char32_t c = 0; c <= kLast; ++c) {
        if (c == kFirstSurrogate) c = kLastSurrogate + 1;
        if (!holds(c)) continue;
        if (!ranges.empty() && ranges.back().last + 1 == c)
            ranges.back().last = c;
        else
            ranges.push_back({c, c});
    }
    return points;
}

void CodePoints::add(const CodePoints& other) {
    std::vector<CodePointRange> all;
    std::merge(ranges_.begin(), ranges_.end(), other.ranges_.begin(), other.ranges_.end(), std::back_inserter(all),
               [](const auto& a, const auto& b) { return a.first < b.first; });
    ranges_.clear();
    for (const auto& next : all) {
        if (!ranges_.empty() && next.first <= ranges_.back().last + 1)
            ranges_.back().last = std::max(ranges_.back().last, next.last);
        else
            ranges_.push_back(next);
    }
}

CodePoints CodePoints::complement() const {
    CodePoints rest;
    char32_t next = 0;
    for (const auto& each : ranges_) {
        if (each.first > next) rest.add(range(next, each.first - 1));
        next = each.last + 1;
    }
    if (next <= kLast) rest.add(range(next, kLast));
    return rest;
}

CodePoints CodePoints::intersection(const CodePoints& other) const {
    CodePoints common;
    auto a = ranges_.begin();
    auto b = other.ranges_.begin();
    while (a != ranges_.end() && b != other.ranges_.end()) {
        const auto first = std::max(a->first, b->first), last = std::min(a->last, b->last);
        if (first <= last) common.ranges_.push_back({first, last});
        (a->last < b->last ? a : b)++;
    }
    return common;
}

bool CodePoints::contains(char32_t c) const {
    const auto after = std::upper_bound(ranges_.begin(), ranges_.end(), c,
                                        [](char32_t x, const CodePointRange& r) { return x < r.first; });
    return after != ranges_.begin() && c <= std::prev(after)->last;
}

}  // namespace longbow::hf
