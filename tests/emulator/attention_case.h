// Makes one call of the attention kernels on host memory, with everything that it points to, and the results that it
// must give, computed in fp64.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "attention/kernels/params.h"
#include "emulator/place_parts.h"

namespace attention_test {

struct Shape {
    int batch = 1, heads = 1, query_length = 64, key_length = 64, head_dim = 64;
    longbow_dtype dtype = LONGBOW_BF16;
    bool causal = true;
    int window = 0;
    enum class Bias { none, slopes, batch_slopes, table, slopes_and_table } bias = Bias::slopes;
    PlaceParts places{};
    int table_length = 33;
    float slope = 0.25f;  // of head 0; each further head has half the slope of the one before
    std::vector<std::int32_t> lengths;
    int dropout_keep = 256;
    std::vector<std::int32_t> first_key_block;  // results must be as if keys before these blocks were masked
    std::uint64_t seed = 1;
    int kv_heads = 0;  // 0: as many as heads
    [[nodiscard]] int key_heads() const { return kv_heads > 0 ? kv_heads : heads; }
    [[nodiscard]] int kv_head_of(int head) const { return head / (heads / key_heads()); }
};

inline Shape square(int length, int head_dim, longbow_dtype dtype) {
    Shape shape;
    shape.query_length = shape.key_length = length;
    shape.head_dim = head_dim;
    shape.dtype = dtype;
    return shape;
}

// A tensor in its input type, laid out [batch, length, heads, head_dim] so that rows are strided, with NaN before and
// after it.
class Tensor {
public:
    Tensor(longbow_dtype dtype, int batch, int heads, int length, int head_dim);
    [[nodiscard]] double at(int b, int h, int i, int d) const { return read(index(b, h, i, d)); }
    void set(int b, int h, int i, int d, double value) { write(index(b, h, i, d), value); }  // rounds to the type
    void poison();
    [[nodiscard]] longbow_tensor4 view();
    [[nodiscard]] int heads() const { return heads_; }
    // Whether the memory before and after the tensor is unchanged.
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

// Expected results in fp64, flat arrays of [batch, heads, rows, columns].
struct Expected {
    std::vector<double> out, lse, dq, dk, dv, dslopes, dtable;
    // The sum of |dS| * distance, against which errors of dslopes are measured: in dslopes itself, terms of both signs
    // nearly cancel.
    std::vector<double> slope_terms;
};

class Case {
public:
    explicit Case(const Shape& shape);
    Case(const Case&) = delete;
    Case& operator=(const Case&) = delete;

    // Run the kernels on outputs that are filled with NaN. Throw std::runtime_error if the status is not OK. forward()
    // must come before backward().
    void forward();
    void backward(bool want_bias_gradient);

    longbow_attention& call() { return call_; }
    Tensor& queries() { return q_; }
    [[nodiscard]] const Tensor& out() const { return out_; }
    [[nodiscard]] double lse(int row) const { return lse_[static_cast<std::size_t>(row)]; }  // of the first head

    // The largest errors, each relative to the largest expected value of its tensor (lse: absolute; dslopes: relative
    // to slope_terms). NaN counts as infinite.
    struct Errors {
        double out = 0, lse = 0, dq = 0, dk = 0, dv = 0, dslopes = 0, dtable = 0, dplaces = 0;
        [[nodiscard]] double worst_gradient() const;
    };
    Errors errors();
    [[nodiscard]] bool guards_whole() const;
    std::vector<double> raw_results();  // out, lse and gradients in one array, to compare runs bit by bit

    const Shape shape;

private:
    void fill();
    void compute_expected();
    void add_sink_logit();
    [[nodiscard]] double score(int b, int h, int i, int j) const;

    Tensor q_, k_, v_, out_, dout_, dq_, dk_, dv_;
    std::vector<float> lse_, slopes_, table_, dslopes_, dtable_;
    std::vector<double> workspace_;
    PlaceData places_;
    longbow_attention call_{};
    Expected expected_;  // computed when first needed
};

// Tolerances for a type, relative to the largest value of the output or gradient; that of lse is absolute. In fp32 they
// are for up to about a thousand keys: tensor cores truncate their sums, so the error grows with the number of
// products. The 16-bit types need a sixth of the products, and their own rounding exceeds what these lose.
double out_tolerance(longbow_dtype dtype);
double lse_tolerance(longbow_dtype dtype);
double gradient_tolerance(longbow_dtype dtype);

}  // namespace attention_test
