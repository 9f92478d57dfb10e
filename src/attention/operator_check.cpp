#include "longbow/attention/operator_check.h"

#include <ATen/CPUGeneratorImpl.h>
#include <fmt/core.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/philox.h"
#include "longbow/core/strings.h"

namespace longbow {

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

enum class Bias { none, slopes, slopes_of_batch, table };

constexpr std::int64_t kBatch = 2, kHeads = 2, kTable = 65;

struct Shape {
    const char* what;  // what the call is there for
    std::int64_t queries = 130, keys = 130, head_dim = 64;
    Bias bias = Bias::slopes;
    bool causal = true;
    std::int64_t window = 0;
    std::vector<std::int64_t> lengths{};
    double dropout = 0.0;
    std::int64_t kv_heads = kHeads;
};

const std::vector<Shape>& shapes() {
    static const std::vector<Shape> all = {
        {.what = "plain"},
        {.what = "head_dim 8", .head_dim = 8},
        {.what = "head_dim 80", .head_dim = 80},
        {.what = "head_dim 128", .head_dim = 128},
        {.what = "head_dim 256", .queries = 70, .keys = 70, .head_dim = 256},
        {.what = "whole tiles", .queries = 128, .keys = 128},
        {.what = "no bias", .bias = Bias::none},
        {.what = "table", .bias = Bias::table},
        {.what = "slopes of each batch element", .bias = Bias::slopes_of_batch},
        {.what = "not causal", .causal = false},
        {.what = "table, not causal", .bias = Bias::table, .causal = false},
        {.what = "window", .window = 50},
        {.what = "more keys than queries", .queries = 70, .keys = 200},
        {.what = "more queries than keys", .queries = 100, .keys = 70},
        {.what = "one query", .queries = 1, .keys = 300},
        {.what = "few queries", .queries = 7, .keys = 400, .head_dim = 128},
        {.what = "ragged", .lengths = {130, 40}},
        {.what = "an empty sequence", .lengths = {0, 64}},
        {.what = "dropout", .dropout = 0.3},
        {.what = "skipped keys", .queries = 200, .keys = 200},
        {.what = "one head of keys for two of queries", .kv_heads = 1},
        {.what = "skipped keys of one head", .queries = 200, .keys = 200, .kv_heads = 1},
    };
    return all;
}

struct Limits {
    double outputs, gradients;
};

// Sums are fp32 in every type; outputs and gradients are rounded to the type. Tensor cores truncate where a CPU rounds
// (docs/attention.md).
Limits limits(bool on_gpu, at::ScalarType type) {
    switch (type) {
        case at::kBFloat16: return {8e-3, 1.5e-2};
        case at::kHalf: return {1e-3, 2e-3};
        default: return on_gpu ? Limits{2e-5, 2e-5} : Limits{2e-6, 4e-6};
    }
}

struct Case {
    FusedAttentionCall call;
    at::Tensor weight;  // the gradient of the output
};

Case make_case(const Shape& shape, const std::string& device, at::ScalarType type) {
    auto generator = at::make_generator<at::CPUGeneratorImpl>(7);
    const auto random = [&](std::int64_t length, std::int64_t heads) {
        return at::randn({kBatch, length, heads, shape.head_dim}, generator, at::kFloat)
            .to(at::Device(device), type)
            .transpose(1, 2);
    };
    Case c;
    c.call.q = random(shape.queries, kHeads);
    c.call.k = random(shape.keys, shape.kv_heads);
    c.call.v = random(shape.keys, shape.kv_heads);
    c.weight = random(shape.queries, kHeads);
    if (shape.bias == Bias::slopes) c.call.slopes = torch::tensor({0.5, 0.0625}, at::kFloat);
    if (shape.bias == Bias::slopes_of_batch) c.call.slopes = torch::tensor({{0.5, 0.0625}, {0.25, -0.01}}, at::kFloat);
    if (shape.bias == Bias::table) c.call.table = at::randn({kHeads, kTable}, generator, at::kFloat);
    if (!shape.lengths.empty()) c.call.lengths = torch::tensor(shape.lengths, at::kInt);
    for (auto* t : {&c.call.slopes, &c.call.table, &c.call.lengths}) {
        if (*t) *t = (*t)->to(at::Device(device));
    }
    c.call.causal = shape.causal;
    c.call.window = shape.window;
    c.call.dropout = shape.dropout;
    c.call.dropout_seed = 11;
    c.call.dropout_offset = 3;
    return c;
}

// Returns the mask of philox.h, [batch, heads, queries, keys] of 0 and the inverse of the share that is kept.
at::Tensor dropout_mask(const FusedAttentionCall& call) {
    const int keep = static_cast<int>(std::lround((1.0 - call.dropout) * 256.0));
    auto mask = at::zeros({call.q.size(0), call.q.size(1), call.q.size(2), call.k.size(2)}, at::kDouble);
    auto* weight = mask.mutable_data_ptr<double>();
    for (std::int64_t head = 0; head < mask.size(0) * mask.size(1); ++head) {
        for (std::int64_t query = 0; query < mask.size(2); ++query) {
            for (std::int64_t key = 0; key < mask.size(3); ++key) {
                const auto bytes =
                    dropout_bytes(static_cast<std::uint64_t>(call.dropout_seed),
                                  static_cast<std::uint64_t>(call.dropout_offset), static_cast<std::uint32_t>(query),
                                  static_cast<std::uint32_t>(key / 16), static_cast<std::uint32_t>(head));
                *weight++ = dropout_keeps(bytes, static_cast<int>(key % 16), keep) ? 256.0 / keep : 0.0;
            }
        }
    }
    return mask;
}

// Returns i - j of query i and key j, [queries, keys].
at::Tensor distances(const FusedAttentionCall& call) {
    const auto queries = call.q.size(2), keys = call.k.size(2);
    return at::arange(keys - queries, keys).unsqueeze(1).sub(at::arange(keys));
}

// Computes (out, lse) with every score in memory, `shift` [batch, heads, queries, keys] added to the scores. All
// tensors are fp64 on the CPU; rows that see no key are 0.
std::tuple<at::Tensor, at::Tensor> formula(const FusedAttentionCall& call, const at::Tensor& shift) {
    const auto queries = call.q.size(2), keys = call.k.size(2), group = call.q.size(1) / call.k.size(1);
    const auto k = call.k.repeat_interleave(group, 1), v = call.v.repeat_interleave(group, 1);
    const auto distance = distances(call), key = at::arange(keys), position = distance.select(1, 0).unsqueeze(1);
    auto scores = at::matmul(call.q, k.transpose(2, 3)).div(std::sqrt(static_cast<double>(call.q.size(3)))).add(shift);
    if (call.slopes) {
        const auto slopes = call.slopes->dim() == 2 ? *call.slopes : call.slopes->unsqueeze(0);
        scores = scores.sub(slopes.unsqueeze(2).unsqueeze(3).mul(distance.abs()));
    }
    if (call.table) {
        const auto column = distance.abs().clamp_max(call.table->size(1) - 1);
        scores = scores.add(call.table->index_select(1, column.flatten()).view({1, -1, queries, keys}));
    }
    auto hidden = call.causal ? distance.lt(0) : at::zeros_like(distance, at::kBool);
    if (call.window > 0) hidden = hidden.logical_or(distance.ge(call.window));
    hidden = hidden.view({1, 1, queries, keys});
    if (call.lengths) {
        const auto length = call.lengths->view({-1, 1, 1, 1});
        hidden = hidden.logical_or(key.ge(length)).logical_or(position.view({1, 1, -1, 1}).ge(length));
    }
    const auto empty = hidden.all(3, true);
    // Rows that see nothing get finite scores and weights of 0, so that no gradient is NaN.
    scores = scores.masked_fill(hidden, -kInf).masked_fill(empty, 0.0);
    auto weights = scores.softmax(3).masked_fill(empty, 0.0);
    if (call.dropout > 0.0) weights = weights.mul(dropout_mask(call));
    return {at::matmul(weights, v), scores.logsumexp(3).masked_fill(empty.squeeze(3), -kInf)};
}

// Returns the largest element's size; NaN counts as infinite.
double largest(const at::Tensor& t) {
    if (t.numel() == 0) return 0.0;
    const double most = t.abs().max().item<double>();
    return std::isnan(most) ? kInf : most;
}

struct Results {
    at::Tensor out, lse;
    std::vector<at::Tensor> gradients;  // of q, k, v, and the bias if there is one
    double bias_terms = 0;  // of the expected results with slopes: the sum of the sizes of the terms of a gradient
};

Results results_of(const AttentionOperator& attend, FusedAttentionCall call, const at::Tensor& weight) {
    std::vector<at::Tensor> leaves;
    const auto make_leaf = [&](at::Tensor& t) { leaves.push_back(t = t.detach().requires_grad_(true)); };
    for (auto* t : {&call.q, &call.k, &call.v}) make_leaf(*t);
    for (auto* t : {&call.slopes, &call.table}) {
        if (*t) make_leaf(**t);
    }
    const auto [out, lse] = attend(call);
    return {out.detach(), lse.detach(), torch::autograd::grad({out}, leaves, {weight})};
}

at::Tensor exact(const at::Tensor& t) { return t.detach().to(at::kCPU).to(at::kDouble); }

Results expected_of(const Case& c) {
    auto call = c.call;
    for (auto* t : {&call.q, &call.k, &call.v}) *t = exact(*t);
    for (auto* t : {&call.slopes, &call.table}) {
        if (*t) *t = exact(**t);
    }
    if (call.lengths) call.lengths = call.lengths->to(at::kCPU);
    const auto shift = at::zeros({call.q.size(0), call.q.size(1), call.q.size(2), call.k.size(2)}, at::kDouble);
    const auto weight = exact(c.weight);
    auto results = results_of([&](const auto& leaf) { return formula(leaf, shift); }, call, weight);
    if (call.slopes) {
        const auto leaf = shift.requires_grad_(true);
        const auto score_gradient = torch::autograd::grad({std::get<0>(formula(call, leaf))}, {leaf}, {weight}).front();
        results.bias_terms = largest(score_gradient.mul(distances(call)).abs().sum({0, 2, 3}));
    }
    return results;
}

// The largest value counts as 0.1 at least, because the gradient of a row with one key is 0.
double relative_error(const at::Tensor& found, const at::Tensor& wanted) {
    return largest(exact(found).sub(wanted)) / std::max(largest(wanted), 0.1);
}

bool same_bits(const Results& a, const Results& b) {
    return a.out.equal(b.out) && a.lse.equal(b.lse) &&
           std::equal(a.gradients.begin(), a.gradients.end(), b.gradients.begin(),
                      [](const auto& x, const auto& y) { return x.equal(y); });
}

// Returns the errors in the order of OperatorErrors::quantities, and adds to `wrong` what has no size.
std::vector<double> errors_of(const Case& c, const Results& found, std::vector<std::string>& wrong) {
    const auto wanted = expected_of(c);
    const auto empty = wanted.lse.eq(-kInf);
    if (!exact(found.lse).eq(-kInf).equal(empty)) wrong.emplace_back("lse is -inf for other rows");
    std::vector<double> errors = {
        relative_error(found.out, wanted.out),
        relative_error(found.lse.cpu().masked_fill(empty, 0.0), wanted.lse.masked_fill(empty, 0.0))};
    for (std::size_t i = 0; i < found.gradients.size(); ++i) {
        // The sum that gives a slope's gradient nearly cancels, so its error is relative to the size of its terms.
        const bool cancels = i == 3 && c.call.slopes;
        errors.push_back(cancels ? largest(exact(found.gradients[i]).sub(wanted.gradients[i])) / wanted.bias_terms
                                 : relative_error(found.gradients[i], wanted.gradients[i]));
    }
    return errors;
}

}  // namespace

OperatorErrors check_operator(const std::string& device, at::ScalarType type, const AttentionOperator& attend) {
    OperatorErrors all;
    const auto [outputs, gradients] = limits(device != "cpu", type);
    for (const char* name : {"out", "lse"}) all.quantities.push_back({name, 0.0, outputs});
    for (const char* name : {"dq", "dk", "dv", "dbias"}) all.quantities.push_back({name, 0.0, gradients});
    for (const auto& shape : shapes()) {
        ++all.calls;
        std::vector<std::string> wrong;
        try {
            const auto c = make_case(shape, device, type);
            const auto found = results_of(attend, c.call, c.weight);
            const auto errors = errors_of(c, found, wrong);
            for (std::size_t i = 0; i < errors.size(); ++i) {
                auto& quantity = all.quantities[i];
                quantity.worst = std::max(quantity.worst, errors[i]);
                if (!(errors[i] <= quantity.limit)) wrong.push_back(fmt::format("{} {:.1e}", quantity.name, errors[i]));
            }
            if (!same_bits(found, results_of(attend, c.call, c.weight)))
                wrong.emplace_back("a second call gives other bits");
        } catch (const std::exception& error) {
            wrong.emplace_back(split(error.what(), '\n').front());
        }
        if (!wrong.empty()) all.wrong.push_back(std::string(shape.what) + ": " + join(wrong, ", "));
    }
    return all;
}

}  // namespace longbow
