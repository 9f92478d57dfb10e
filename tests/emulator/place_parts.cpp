#include "emulator/place_parts.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace attention_test {

PlaceData::PlaceData(const PlaceParts& parts, int batch, int heads, int queries, int keys, std::uint64_t seed)
    : parts_(parts), batch_(batch), heads_(heads), queries_(queries), keys_(keys) {
    std::mt19937_64 engine(seed + 77);
    std::normal_distribution<double> normal;
    std::uniform_real_distribution<double> uniform;
    for (int head = 0; parts.terms && head < (parts.shared ? 1 : batch) * heads; ++head) {
        double sum = parts.shift;
        std::vector<double> sums;
        for (int place = 0; place < std::max(queries, keys); ++place)
            sums.push_back(sum += parts.gate * (0.5 + uniform(engine)));
        // Queries are the last places. Where there are more of them than keys, the first have none.
        row_.insert(row_.end(), sums.end() - queries, sums.end());
        for (int place = 0; place < keys; ++place) column_.push_back(-sums[sums.size() - keys + place]);
    }
    for (int i = 0; parts.query_slopes && i < batch * heads * queries; ++i)
        query_slopes_.push_back(static_cast<float>(0.02 + 0.03 * std::fabs(normal(engine))));
    for (int j = 0; parts.key_slopes && j < batch * heads * keys; ++j)
        key_slopes_.push_back(static_cast<float>(0.02 + 0.03 * std::fabs(normal(engine))));
    if (parts.positions != PlaceParts::Positions::indices) {
        const bool whole = parts.positions == PlaceParts::Positions::whole;
        double at = 1000.0;
        for (int j = 0; j < keys; ++j) {
            at += whole ? 1.0 + std::floor(3.0 * uniform(engine)) : 3.0 * uniform(engine);
            positions_.push_back(at);
        }
    }
    sink_logits_.assign(static_cast<std::size_t>(heads), parts.sink_logit);
    const auto count = [&](bool there, int length) {
        return there ? static_cast<std::size_t>(batch) * static_cast<std::size_t>(heads * length) : 0;
    };
    for (PlaceGradients* const gradients : {&expected_, &sizes_, &computed_}) {
        gradients->row.assign(count(parts.terms, queries), 0), gradients->column.assign(count(parts.terms, keys), 0);
        gradients->query_slopes.assign(count(parts.query_slopes, queries), 0);
        gradients->key_slopes.assign(count(parts.key_slopes, keys), 0);
    }
}

std::size_t PlaceData::query(int b, int h, int i) const {
    return static_cast<std::size_t>((b * heads_ + h) * queries_ + i);
}
std::size_t PlaceData::key(int b, int h, int j) const { return static_cast<std::size_t>((b * heads_ + h) * keys_ + j); }
std::size_t PlaceData::of_terms(std::size_t at, int length) const {
    return parts_.shared ? at % static_cast<std::size_t>(heads_ * length) : at;
}

void PlaceData::attach(longbow_places& places) const {
    if (parts_.terms) {
        places.row = row_.data(), places.column = column_.data();
        places.row_batch = parts_.shared ? 0 : heads_ * queries_;
        places.column_batch = parts_.shared ? 0 : heads_ * keys_;
    }
    if (parts_.query_slopes) places.query_slopes = query_slopes_.data();
    if (parts_.key_slopes) places.key_slopes = key_slopes_.data();
    if (!positions_.empty()) places.positions = positions_.data();
    places.sinks = parts_.sinks;
    if (!std::isnan(parts_.sink_logit)) places.sink_logit = sink_logits_.data();
}

void PlaceData::want_gradients(longbow_places& places) {
    for (auto* const gradient : computed_.all())
        std::fill(gradient->begin(), gradient->end(), std::numeric_limits<double>::quiet_NaN());
    const auto at = [](std::vector<double>& gradient) { return gradient.empty() ? nullptr : gradient.data(); };
    places.drow = at(computed_.row), places.dcolumn = at(computed_.column);
    places.dquery_slopes = at(computed_.query_slopes), places.dkey_slopes = at(computed_.key_slopes);
}

double PlaceData::distance(int i, int j) const {
    const int index = i + keys_ - queries_;
    if (positions_.empty()) return std::abs(index - j);
    return std::fabs(positions_[static_cast<std::size_t>(std::max(index, 0))] -
                     positions_[static_cast<std::size_t>(j)]);
}

double PlaceData::bias(int b, int h, int i, int j) const {
    double sum = 0;
    if (parts_.terms) sum = row_[of_terms(query(b, h, i), queries_)] + column_[of_terms(key(b, h, j), keys_)];
    if (parts_.query_slopes) sum -= query_slopes_[query(b, h, i)] * distance(i, j);
    if (parts_.key_slopes) sum -= key_slopes_[key(b, h, j)] * distance(i, j);
    return sum;
}

void PlaceData::expect(int b, int h, int i, int j, double gradient) {
    const auto add = [&](std::vector<double> PlaceGradients::*part, std::size_t at, double term) {
        if ((expected_.*part).empty()) return;
        (expected_.*part)[at] += term;
        (sizes_.*part)[at] += std::fabs(term);
    };
    add(&PlaceGradients::row, query(b, h, i), gradient);
    add(&PlaceGradients::column, key(b, h, j), gradient);
    add(&PlaceGradients::query_slopes, query(b, h, i), -gradient * distance(i, j));
    add(&PlaceGradients::key_slopes, key(b, h, j), -gradient * distance(i, j));
}

double PlaceData::error() const {
    double worst = 0;
    for (std::size_t part = 0; part < expected_.all().size(); ++part) {
        const auto &expected = *expected_.all()[part], &sizes = *sizes_.all()[part], &got = *computed_.all()[part];
        const double largest = sizes.empty() ? 0 : *std::max_element(sizes.begin(), sizes.end());
        for (std::size_t i = 0; i < expected.size(); ++i) {
            const double error = std::fabs(got[i] - expected[i]) / (largest > 0 ? largest : 1);
            if (!(error <= worst)) worst = std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
        }
    }
    return worst;
}

}  // namespace attention_test
