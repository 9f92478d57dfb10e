// The parts of a bias by place (longbow_places) for attention_case.h: random values, what they add to a score in fp64,
// and their gradients, expected and computed.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "attention/kernels/params.h"

namespace attention_test {

struct PlaceParts {
    bool terms = false;   // of rows and columns: sums of gates as FoX has them
    double gate = -0.3;   // the mean of a gate's logarithm
    double shift = 0;     // added to the rows and subtracted from the columns: only their sums are small
    bool shared = false;  // terms are the same for all of a batch
    bool query_slopes = false, key_slopes = false;
    enum class Positions { indices, whole, real } positions = Positions::indices;
    int sinks = 0;  // beside a window
    // Of every head, if it is a number. The test adds it to what the kernels have computed, as the operator does.
    float sink_logit = std::numeric_limits<float>::quiet_NaN();

    [[nodiscard]] bool any() const {
        return terms || query_slopes || key_slopes || positions != Positions::indices || sinks > 0;
    }
};

// Gradients by place, [batch, heads, length] each.
struct PlaceGradients {
    std::vector<double> row, column, query_slopes, key_slopes;
    [[nodiscard]] std::vector<const std::vector<double>*> all() const {
        return {&row, &column, &query_slopes, &key_slopes};
    }
    [[nodiscard]] std::vector<std::vector<double>*> all() { return {&row, &column, &query_slopes, &key_slopes}; }
};

class PlaceData {
public:
    PlaceData(const PlaceParts& parts, int batch, int heads, int queries, int keys, std::uint64_t seed);

    void attach(longbow_places& places) const;
    // Lets the backward pass write the gradients of the parts that there are, over NaN.
    void want_gradients(longbow_places& places);
    // The distance between query i and key j, and what the parts add to their score.
    [[nodiscard]] double distance(int i, int j) const;
    [[nodiscard]] double bias(int b, int h, int i, int j) const;
    // Adds a score's gradient to what is expected.
    void expect(int b, int h, int i, int j, double gradient);
    // The largest error of the computed gradients, relative to the largest sum of absolute terms of its tensor: in the
    // gradients themselves, terms of both signs nearly cancel.
    [[nodiscard]] double error() const;
    [[nodiscard]] const PlaceGradients& computed() const { return computed_; }

private:
    [[nodiscard]] std::size_t query(int b, int h, int i) const;
    [[nodiscard]] std::size_t key(int b, int h, int j) const;
    [[nodiscard]] std::size_t of_terms(std::size_t at, int length) const;

    PlaceParts parts_;
    int batch_, heads_, queries_, keys_;
    std::vector<double> row_, column_, positions_;
    std::vector<float> query_slopes_, key_slopes_, sink_logits_;
    PlaceGradients expected_, sizes_, computed_;  // sizes: sums of absolute terms
};

}  // namespace attention_test
