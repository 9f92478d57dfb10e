// One attention call on host memory with all that it points to, and what it must give, in fp64.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "attention/kernels/params.h"

namespace attention_test {

struct Shape {
    int batch = 1, heads = 1, query_length = 64, key_length = 64, head_dim = 64;
    longbow_dtype dtype = LONGBOW_BF16;
    bool causal = true;
    int window = 0;
    enum class Bias { none, slopes, batch_slopes, table } bias = Bias::slopes;
    int table_length = 33;
    float slope = 0.25f;  // of head 0; each next head has half
    std::vector<std::int32_t> lengths;
    int dropout_keep = 256;
    std::vector<std::int32_t> first_key_block;  // keys before these blocks are as good as masked
    std::uint64_t seed = 1;
};

inline Shape square(int length, int head_dim, longbow_dtype dtype) {
    Shape shape;
    shape.query_length = shape.key_length = length;
    shape.head_dim = head_dim;
    shape.dtype = dtype;
    return shape;
}

// A tensor in its input type, [batch, length, heads, head_dim] in memory (so that rows are strided), NaN on either side.
class Tensor {
public:
    Tensor(longbow_dtype dtype, int batch, int heads, int length, int head_dim);
    [[nodiscard]] double at(int b, int h, int i, int d) const { return read(index(b, h, i, d)); }
    void set(int b, int h, int i, int d, double value) { write(index(b, h, i, d), value); }  // rounds to the type
    void poison();
    [[nodiscard]] longbow_tensor4 view();
    // What surrounds the tensor is as it was.
    [[nodiscard]] bool guards_whole() const;

private:
    [[nodiscard]] std::size_t index(int b, int h, int i, int d) const;
    [[nodiscard]] double read(std::size_t at) const;
    void write(std::size_t at, double value);
    longbow_dtype dtype_;
    int heads_, length_, head_dim_;
    std::size_t count_;
    std::vector<std::uint32_t> storage_;
};

// Results in fp64, [batch, heads, rows, columns] flat.
struct Expected {
    std::vector<double> out, lse, dq, dk, dv, dslopes, dtable;
    std::vector<double> slope_terms;  // sum of |dS| distance, whose signed terms nearly cancel in dslopes: the scale of its error
};

class Case {
public:
    explicit Case(const Shape& shape);
    Case(const Case&) = delete;
    Case& operator=(const Case&) = delete;

    // Run the kernels, on outputs that are NaN before; std::runtime_error unless the status is OK. forward() comes before backward().
    void forward();
    void backward(bool want_bias_gradient);

    longbow_attention& call() { return call_; }

    // Largest errors, each relative to the largest expected value of its tensor (lse: absolute; dslopes: to slope_terms). NaN counts as
    // infinite.
    struct Errors {
        double out = 0, lse = 0, dq = 0, dk = 0, dv = 0, dslopes = 0, dtable = 0;
        [[nodiscard]] double worst_gradient() const;
    };
    Errors errors();
    [[nodiscard]] bool guards_whole() const;
    std::vector<double> raw_results();  // out, lse and gradients in one row, to compare runs bit by bit

    const Shape shape;

private:
    void fill();
    void expect();
    [[nodiscard]] double score(int b, int h, int i, int j) const;

    Tensor q_, k_, v_, out_, dout_, dq_, dk_, dv_;
    std::vector<float> lse_, slopes_, table_, dslopes_, dtable_;
    std::vector<double> workspace_;
    longbow_attention call_{};
    Expected expected_;  // made when first asked for
};

// Tolerances of a type: of outputs and of gradients, relative to the largest value.
double out_tolerance(longbow_dtype dtype);
double gradient_tolerance(longbow_dtype dtype);

}  // namespace attention_test
