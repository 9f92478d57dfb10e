// Compares every back-end with the formula, written out, where the input has fewer heads of keys, a scale, a window, or
// a bias terms by place.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "longbow/attention/attention_backend.h"
#include "longbow/core/error.h"

namespace longbow {
namespace {

constexpr std::int64_t kBatch = 2, kHeads = 6, kHeadDim = 8;

enum class Kind { none, slopes, table };

struct Options {
    Kind kind = Kind::none;
    std::int64_t kv_heads = kHeads, window = 0;
    std::optional<double> scale{};
    bool column = false;
};

AttentionInput input_of(const Options& options, std::int64_t rows, std::int64_t columns, at::ScalarType type) {
    AttentionInput in;
    const auto random = [&](std::int64_t heads, std::int64_t length) {
        return torch::randn({kBatch, heads, length, kHeadDim}, torch::kDouble).to(type).requires_grad_(true);
    };
    in.q = random(kHeads, rows);
    in.k = random(options.kv_heads, columns);
    in.v = random(options.kv_heads, columns);
    const auto wide = type == torch::kDouble ? torch::kDouble : torch::kFloat;
    if (options.kind == Kind::slopes) in.bias.slopes = torch::pow(2.0, -torch::arange(1, kHeads + 1, wide));
    if (options.kind == Kind::table) in.bias.table = torch::randn({kHeads, 7}, wide).requires_grad_(true);
    in.bias.window = options.window;
    if (options.column) in.bias.column = torch::randn({1, kHeads, columns}, wide);
    in.scale = options.scale;
    return in;
}

at::Tensor formula(const AttentionInput& in) {
    const auto rows = in.q.size(2), columns = in.k.size(2), group = in.q.size(1) / in.k.size(1);
    const auto q = in.q.to(torch::kDouble);
    const auto k = in.k.to(torch::kDouble).repeat_interleave(group, 1);
    const auto v = in.v.to(torch::kDouble).repeat_interleave(group, 1);
    const auto distance = torch::arange(columns - rows, columns).unsqueeze(1) - torch::arange(columns);
    auto scores = torch::matmul(q, k.transpose(2, 3)) * in.scale.value_or(1 / std::sqrt(static_cast<double>(kHeadDim)));
    if (in.bias.slopes.defined()) scores = scores - in.bias.slopes.view({1, -1, 1, 1}) * distance;
    if (in.bias.table.defined()) {
        const auto column = distance.clamp(0, in.bias.table.size(1) - 1).flatten();
        scores = scores + in.bias.table.index_select(1, column).view({1, kHeads, rows, columns});
    }
    if (in.bias.column.defined()) scores = scores + in.bias.column.unsqueeze(2);
    auto hidden = distance.lt(0);
    if (in.bias.window > 0) hidden = hidden.logical_or(distance.ge(in.bias.window));
    return torch::matmul(scores.masked_fill(hidden, -std::numeric_limits<double>::infinity()).softmax(-1), v);
}

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
    const auto difference = a.to(torch::kDouble).sub(b.to(torch::kDouble)).abs();
    return difference.isnan().any().item<bool>() ? std::numeric_limits<double>::infinity()
                                                 : difference.max().item<double>();
}

void expect_formula(AttentionBackend& backend, const AttentionInput& in, double tolerance) {
    const auto expected = formula(in);
    {
        const torch::NoGradGuard no_grad;
        const auto out = backend.forward(in);
        ASSERT_EQ(out.sizes(), in.q.sizes());
        EXPECT_LT(largest_difference(out, expected), tolerance);
    }
    const auto out = backend.forward(in);
    EXPECT_LT(largest_difference(out, expected), tolerance);
    std::vector<at::Tensor> inputs = {in.q, in.k, in.v};
    if (in.bias.table.defined()) inputs.push_back(in.bias.table);
    const auto weight = torch::randn_like(out);
    const auto wanted = torch::autograd::grad({expected}, inputs, {weight.to(torch::kDouble)});
    const auto found = torch::autograd::grad({out}, inputs, {weight});
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        ASSERT_EQ(found[i].sizes(), inputs[i].sizes());
        EXPECT_LT(largest_difference(found[i], wanted[i]), 20 * tolerance) << "gradient " << i;
    }
}

std::vector<Options> every_option() {
    std::vector<Options> all;
    for (const auto kind : {Kind::none, Kind::slopes, Kind::table}) {
        all.push_back({.kind = kind, .kv_heads = 2});
        all.push_back({.kind = kind, .kv_heads = 1, .window = 3});
        all.push_back({.kind = kind, .window = 5, .scale = 0.7});
        all.push_back({.kind = kind, .kv_heads = 3, .scale = 0.05, .column = true});
        all.push_back({.kind = kind, .window = 4, .column = true});
    }
    return all;
}

class BackendOptions : public testing::TestWithParam<std::string> {};

TEST_P(BackendOptions, EqualTheFormulaWithItsGradients) {
    const std::string name = GetParam();
    const bool fused = name == "fused";
    for (const auto& options : every_option()) {
        // One back-end serves all lengths, as a model's does: what it keeps between calls must be right for each.
        const auto backend = make_attention_backend(name, {});
        for (const auto& [rows, columns] : std::vector<std::pair<std::int64_t, std::int64_t>>{
                 {9, 9}, {4, 9}, {1, 9}, {1, 10}, {1, 1}, {300, 310}, {300, 300}}) {
            SCOPED_TRACE(testing::Message() << "kind " << static_cast<int>(options.kind) << ", " << options.kv_heads
                                            << " heads of keys, window " << options.window << ", " << rows << "x"
                                            << columns << (options.column ? ", column" : ""));
            expect_formula(*backend, input_of(options, rows, columns, fused ? torch::kFloat : torch::kDouble),
                           fused ? 1e-5 : 1e-12);
        }
    }
}

TEST_P(BackendOptions, AnotherWindowIsNotServedWithTheOldMask) {
    const torch::NoGradGuard no_grad;
    const auto backend = make_attention_backend(GetParam(), {});
    auto in = input_of({.kind = Kind::slopes, .window = 4}, 20, 20, torch::kFloat);
    for (const std::int64_t window : {4, 9, 0, 4}) {
        in.bias.window = window;
        EXPECT_LT(largest_difference(backend->forward(in), formula(in)), 1e-5) << window;
    }
}

INSTANTIATE_TEST_SUITE_P(All, BackendOptions, testing::Values("reference", "sdpa", "fused"),
                         [](const auto& chosen) { return chosen.param; });

TEST(PlaceBias, IsServedByTheFusedBackendOnAGpuIfItIsNamed) {
    AttentionRequest request;
    request.head_dim = 32;
    request.device = "cuda";
    for (const auto part : {BiasPart::places, BiasPart::query_slopes, BiasPart::key_slopes, BiasPart::positions,
                            BiasPart::sinks, BiasPart::sink_logit}) {
        request.bias = {part};
        EXPECT_EQ(make_attention_backend("auto", request)->name(), "sdpa") << request.bias.text();
        EXPECT_EQ(make_attention_backend("fused", request)->name(), "fused") << request.bias.text();
    }
    request.bias = {BiasPart::slopes, BiasPart::table};
    request.sums = true;
    EXPECT_EQ(make_attention_backend("fused", request)->name(), "fused");
    request.bias = {BiasPart::curve};
    try {
        make_attention_backend("fused", request);
        FAIL();
    } catch (const ConfigError& error) {
        EXPECT_THAT(error.what(), testing::HasSubstr("the fused kernels do not add"));
    }
}

TEST(PlaceBias, SkipsByATableOnACpuOnly) {
    AttentionRequest request;
    request.head_dim = 32;
    request.table_fades = true;
    for (const auto& [part, on_gpu] : {std::pair{BiasPart::table, false}, std::pair{BiasPart::places, true}}) {
        request.bias = {part};
        request.device = "cpu";
        EXPECT_TRUE(make_attention_backend("fused", request)->skips());
        request.device = "cuda";
        EXPECT_EQ(make_attention_backend("fused", request)->skips(), on_gpu);
    }
}

}  // namespace
}  // namespace longbow
