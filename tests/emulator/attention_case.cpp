#include "emulator/attention_case.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <stdexcept>

#include "../../src/attention/kernels/attention.h"
#include "../../src/attention/kernels/cuda/device.h"
#include "../../src/attention/kernels/philox.h"

namespace attention_test {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::int32_t length_of(const Shape& shape, int b) {
    return shape.lengths.empty() ? shape.key_length
                                 : std::min(shape.lengths[static_cast<std::size_t>(b)], shape.key_length);
}

int entry_of(const Shape& shape, double distance) {
    return static_cast<int>(std::min<double>(std::floor(distance), shape.table_length - 1));
}

// Raises `worst` to `error`; NaN counts as infinite. std::fmax would ignore a NaN.
void raise(double& worst, double error) {
    if (!(error <= worst)) worst = std::isnan(error) ? kInfinity : error;
}

template <class Row>
double relative_error(const std::vector<double>& expected, const Row& got) {
    double largest = 0, worst = 0;
    for (const double x : expected) largest = std::max(largest, std::fabs(x));
    for (std::size_t i = 0; i < expected.size(); ++i)
        raise(worst, std::fabs(got(i) - expected[i]) / (largest > 0 ? largest : 1));
    return worst;
}

}  // namespace

Case::Case(const Shape& s)
    : shape(s),
      q_(s.dtype, s.batch, s.heads, s.query_length, s.head_dim),
      k_(s.dtype, s.batch, s.key_heads(), s.key_length, s.head_dim),
      v_(k_),
      out_(q_),
      dout_(q_),
      dq_(q_),
      dk_(k_),
      dv_(k_),
      lse_(static_cast<std::size_t>(s.batch * s.heads * s.query_length), NAN),
      places_(s.places, s.batch, s.heads, s.query_length, s.key_length, s.seed) {
    fill();
    call_.batch = s.batch, call_.heads = s.heads, call_.query_length = s.query_length, call_.key_length = s.key_length;
    call_.kv_heads = s.kv_heads;
    call_.head_dim = s.head_dim, call_.dtype = s.dtype, call_.causal = s.causal ? 1 : 0, call_.window = s.window;
    call_.scale = 1.0f / std::sqrt(static_cast<float>(s.head_dim));
    call_.q = q_.view(), call_.k = k_.view(), call_.v = v_.view(), call_.out = out_.view();
    call_.lse = lse_.data();
    const bool both = s.bias == Shape::Bias::slopes_and_table;
    if (both || s.bias == Shape::Bias::slopes || s.bias == Shape::Bias::batch_slopes) {
        call_.slopes = slopes_.data();
        call_.slopes_batch = s.bias == Shape::Bias::batch_slopes ? s.heads : 0;
    }
    if (both || s.bias == Shape::Bias::table) {
        call_.table = table_.data();
        call_.table_length = s.table_length;
    }
    if (!s.lengths.empty()) call_.lengths = shape.lengths.data();
    if (!s.first_key_block.empty()) call_.first_key_block = shape.first_key_block.data();
    call_.dropout_keep = s.dropout_keep, call_.dropout_seed = 0x123456789ABCull + s.seed,
    call_.dropout_offset = 0x500000007ull;
    call_.threads = 1;
    places_.attach(call_.places);
}

void Case::fill() {
    std::mt19937_64 engine(shape.seed);
    std::normal_distribution<double> normal;
    const auto draw = [&](Tensor& tensor, int length, int offset) {
        for (int b = 0; b < shape.batch; ++b) {
            for (int h = 0; h < tensor.heads(); ++h) {
                for (int i = 0; i < length; ++i) {
                    for (int d = 0; d < shape.head_dim; ++d) {
                        const double x = normal(engine);
                        // Beyond the length, NaN: what lies there must not matter.
                        tensor.set(b, h, i, d, i + offset < length_of(shape, b) ? x : std::nan(""));
                    }
                }
            }
        }
    };
    const int offset = shape.key_length - shape.query_length;
    draw(q_, shape.query_length, offset);
    draw(k_, shape.key_length, 0);
    draw(v_, shape.key_length, 0);
    draw(dout_, shape.query_length, offset);
    for (int b = 0; b < (shape.bias == Shape::Bias::batch_slopes ? shape.batch : 1); ++b) {
        for (int h = 0; h < shape.heads; ++h)
            slopes_.push_back(std::ldexp(shape.slope, -h) * static_cast<float>(1 + 0.5 * b));
    }
    for (int i = 0; i < shape.heads * shape.table_length; ++i) table_.push_back(static_cast<float>(normal(engine)));
    dslopes_.assign(static_cast<std::size_t>(shape.batch * shape.heads), NAN);
    dtable_.assign(table_.size(), NAN);
}

double Case::score(int b, int h, int i, int j) const {
    const int position = i + shape.key_length - shape.query_length;
    const int length = length_of(shape, b);
    if (position >= length || j >= length || (shape.causal && j > position) ||
        (shape.window > 0 && position - j >= shape.window && j >= shape.places.sinks))
        return -kInfinity;
    if (!shape.first_key_block.empty()) {
        const int blocks = (shape.query_length + 63) / 64;
        if (j < 64 * shape.first_key_block[static_cast<std::size_t>((b * shape.heads + h) * blocks + i / 64)])
            return -kInfinity;
    }
    double sum = 0;
    for (int d = 0; d < shape.head_dim; ++d) sum += q_.at(b, h, i, d) * k_.at(b, shape.kv_head_of(h), j, d);
    const double distance = places_.distance(i, j);
    double bias = places_.bias(b, h, i, j);
    if (call_.slopes != nullptr) bias -= static_cast<double>(call_.slopes[b * call_.slopes_batch + h]) * distance;
    if (call_.table != nullptr) bias += call_.table[h * shape.table_length + entry_of(shape, distance)];
    return static_cast<double>(call_.scale) * sum + bias;
}

void Case::compute_expected() {
    const auto dim = static_cast<std::size_t>(shape.head_dim);
    const auto rows =
        static_cast<std::size_t>(shape.batch * shape.heads) * static_cast<std::size_t>(shape.query_length);
    const auto keys =
        static_cast<std::size_t>(shape.batch * shape.key_heads()) * static_cast<std::size_t>(shape.key_length);
    Expected& e = expected_;
    e.out.assign(rows * dim, 0), e.dq.assign(rows * dim, 0), e.lse.assign(rows, -kInfinity);
    e.dk.assign(keys * dim, 0), e.dv.assign(keys * dim, 0);
    e.dslopes.assign(dslopes_.size(), 0), e.slope_terms.assign(dslopes_.size(), 0), e.dtable.assign(dtable_.size(), 0);
    const double kept = 256.0 / shape.dropout_keep;
    std::vector<double> p(static_cast<std::size_t>(shape.key_length));
    for (int b = 0; b < shape.batch; ++b) {
        for (int h = 0; h < shape.heads; ++h) {
            const int kv = shape.kv_head_of(h);
            for (int i = 0; i < shape.query_length; ++i) {
                const std::size_t row = static_cast<std::size_t>((b * shape.heads + h) * shape.query_length + i);
                double highest = -kInfinity, sum = 0;
                for (int j = 0; j < shape.key_length; ++j)
                    highest = std::max(highest, p[static_cast<std::size_t>(j)] = score(b, h, i, j));
                if (highest == -kInfinity) continue;
                for (double& x : p) sum += x = std::exp(x - highest);
                if (call_.places.sink_logit != nullptr) sum += std::exp(shape.places.sink_logit - highest);
                e.lse[row] = highest + std::log(sum);
                std::vector<double> dropped(p.size());
                double delta = 0;
                std::vector<double> dp(p.size());
                for (int j = 0; j < shape.key_length; ++j) {
                    const auto at = static_cast<std::size_t>(j);
                    p[at] /= sum;
                    if (p[at] == 0) continue;
                    const auto bytes = longbow::dropout_bytes(
                        call_.dropout_seed, call_.dropout_offset, static_cast<std::uint32_t>(i),
                        static_cast<std::uint32_t>(j / 16), static_cast<std::uint32_t>(b * shape.heads + h));
                    const double mask = longbow::dropout_keeps(bytes, j % 16, shape.dropout_keep) ? kept : 0.0;
                    dropped[at] = p[at] * mask;
                    for (int d = 0; d < shape.head_dim; ++d) {
                        e.out[row * dim + static_cast<std::size_t>(d)] += dropped[at] * v_.at(b, kv, j, d);
                        dp[at] += mask * dout_.at(b, h, i, d) * v_.at(b, kv, j, d);
                    }
                    delta += p[at] * dp[at];
                }
                for (int j = 0; j < shape.key_length; ++j) {
                    const auto at = static_cast<std::size_t>(j);
                    if (p[at] == 0) continue;
                    const std::size_t key =
                        static_cast<std::size_t>((b * shape.key_heads() + kv) * shape.key_length + j);
                    const double ds = p[at] * (dp[at] - delta);
                    for (int d = 0; d < shape.head_dim; ++d) {
                        const auto c = static_cast<std::size_t>(d);
                        e.dq[row * dim + c] += ds * static_cast<double>(call_.scale) * k_.at(b, kv, j, d);
                        e.dk[key * dim + c] += ds * static_cast<double>(call_.scale) * q_.at(b, h, i, d);
                        e.dv[key * dim + c] += dropped[at] * dout_.at(b, h, i, d);
                    }
                    const double distance = places_.distance(i, j);
                    places_.expect(b, h, i, j, ds);
                    e.dslopes[static_cast<std::size_t>(b * shape.heads + h)] -= ds * distance;
                    e.slope_terms[static_cast<std::size_t>(b * shape.heads + h)] += std::fabs(ds) * distance;
                    e.dtable[static_cast<std::size_t>(h * shape.table_length + entry_of(shape, distance))] += ds;
                }
            }
        }
    }
}

void Case::forward() {
    out_.poison();
    std::fill(lse_.begin(), lse_.end(), NAN);
    workspace_.assign(static_cast<std::size_t>(longbow_attention_cuda_forward_workspace(&call_)) / sizeof(double) + 2,
                      NAN);
    call_.workspace = workspace_.data();
    if (longbow_attention_cuda_forward(&call_) != LONGBOW_OK) throw std::runtime_error("forward: not supported");
    if (call_.places.sink_logit != nullptr) add_sink_logit();
}

void Case::add_sink_logit() {
    for (int row = 0; row < static_cast<int>(lse_.size()); ++row) {
        float& lse = lse_[static_cast<std::size_t>(row)];
        if (lse == -INFINITY) continue;
        const double share = 1.0 / (1.0 + std::exp(static_cast<double>(shape.places.sink_logit) - lse));
        lse -= static_cast<float>(std::log(share));
        const int head = row / shape.query_length, i = row % shape.query_length;
        for (int d = 0; d < shape.head_dim; ++d) {
            const double x = out_.at(head / shape.heads, head % shape.heads, i, d);
            out_.set(head / shape.heads, head % shape.heads, i, d, x * share);
        }
    }
}

void Case::backward(bool want_bias_gradient) {
    for (Tensor* const gradient : {&dq_, &dk_, &dv_}) gradient->poison();
    std::fill(dslopes_.begin(), dslopes_.end(), NAN);
    std::fill(dtable_.begin(), dtable_.end(), NAN);
    call_.dout = dout_.view(), call_.dq = dq_.view(), call_.dk = dk_.view(), call_.dv = dv_.view();
    if (want_bias_gradient && call_.slopes != nullptr) call_.dslopes = dslopes_.data();
    if (want_bias_gradient && call_.table != nullptr) call_.dtable = dtable_.data();
    if (want_bias_gradient) places_.want_gradients(call_.places);
    workspace_.assign(static_cast<std::size_t>(longbow_attention_cuda_backward_workspace(&call_)) / sizeof(double) + 2,
                      NAN);
    call_.workspace = workspace_.data();
    if (longbow_attention_cuda_backward(&call_) != LONGBOW_OK) throw std::runtime_error("backward: not supported");
}

Case::Errors Case::errors() {
    if (expected_.lse.empty()) compute_expected();
    Errors e;
    const auto values = [&](const Tensor& tensor, int length) {
        return [&tensor, length, this](std::size_t at) {
            const auto dim = static_cast<std::size_t>(shape.head_dim), rows = static_cast<std::size_t>(length);
            const std::size_t row = at / dim, head = row / rows;
            return tensor.at(static_cast<int>(head) / tensor.heads(), static_cast<int>(head) % tensor.heads(),
                             static_cast<int>(row % rows), static_cast<int>(at % dim));
        };
    };
    e.out = relative_error(expected_.out, values(out_, shape.query_length));
    for (std::size_t i = 0; i < lse_.size(); ++i) {
        const double expected = expected_.lse[i], got = lse_[i];
        if (expected != got) raise(e.lse, std::fabs(got - expected));
    }
    if (call_.dq.data == nullptr) return e;
    e.dq = relative_error(expected_.dq, values(dq_, shape.query_length));
    e.dk = relative_error(expected_.dk, values(dk_, shape.key_length));
    e.dv = relative_error(expected_.dv, values(dv_, shape.key_length));
    if (call_.dslopes != nullptr) {
        for (std::size_t i = 0; i < dslopes_.size(); ++i) {
            const double scale = expected_.slope_terms[i];
            raise(e.dslopes, std::fabs(dslopes_[i] - expected_.dslopes[i]) / (scale > 0 ? scale : 1));
        }
    }
    if (call_.dtable != nullptr) e.dtable = relative_error(expected_.dtable, [&](std::size_t i) { return dtable_[i]; });
    e.dplaces = places_.error();
    return e;
}

double Case::Errors::worst_gradient() const { return std::max({dq, dk, dv, dslopes, dtable, dplaces}); }

std::vector<double> Case::raw_results() {
    std::vector<double> all(lse_.begin(), lse_.end());
    const auto append = [&](const Tensor& tensor, int length) {
        for (int b = 0; b < shape.batch; ++b) {
            for (int h = 0; h < tensor.heads(); ++h) {
                for (int i = 0; i < length; ++i) {
                    for (int d = 0; d < shape.head_dim; ++d) all.push_back(tensor.at(b, h, i, d));
                }
            }
        }
    };
    append(out_, shape.query_length);
    if (call_.dq.data == nullptr) return all;
    append(dq_, shape.query_length), append(dk_, shape.key_length), append(dv_, shape.key_length);
    if (call_.dslopes != nullptr) all.insert(all.end(), dslopes_.begin(), dslopes_.end());
    if (call_.dtable != nullptr) all.insert(all.end(), dtable_.begin(), dtable_.end());
    for (const auto* const gradient : places_.computed().all())
        all.insert(all.end(), gradient->begin(), gradient->end());
    return all;
}

bool Case::guards_whole() const {
    return q_.guards_whole() && k_.guards_whole() && v_.guards_whole() && out_.guards_whole() && dq_.guards_whole() &&
           dk_.guards_whole() && dv_.guards_whole() && dout_.guards_whole();
}

double out_tolerance(longbow_dtype dtype) { return dtype == LONGBOW_F32 ? 2e-5 : dtype == LONGBOW_F16 ? 1e-3 : 8e-3; }
double lse_tolerance(longbow_dtype dtype) { return dtype == LONGBOW_F32 ? 2e-5 : 4e-6; }
double gradient_tolerance(longbow_dtype dtype) {
    return dtype == LONGBOW_F32 ? 2e-5 : dtype == LONGBOW_F16 ? 2e-3 : 1.5e-2;
}

}  // namespace attention_test
