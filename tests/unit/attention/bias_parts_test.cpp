// Tests that sdpa and fused give what reference gives for each part of a bias and for sums of two, forward and
// backward, for whole windows, for the last queries beside a cache, and for more rows than sdpa takes at once.
#include <gtest/gtest.h>
#include <torch/types.h>

#include <functional>
#include <map>
#include <set>
#include <string>

#include "longbow/attention/attention_backend.h"
#include "longbow/core/error.h"
#include "unit/model/tiny.h"

namespace longbow {
namespace {

constexpr std::int64_t kBatch = 2, kHeads = 4, kHeadDim = 8, kTail = 7;

struct Sizes {
    std::int64_t rows, columns;
};

using Fill = std::function<void(AttentionInput&, const Sizes&)>;

// Random numbers of fp32, in fp64.
at::Tensor leaf(at::IntArrayRef sizes) {
    return torch::randn(sizes, torch::kDouble).to(torch::kFloat).to(torch::kDouble).requires_grad_(true);
}

const std::map<std::string, Fill>& parts() {
    static const std::map<std::string, Fill> parts = {
        {"slopes", [](AttentionInput& in, const Sizes&) { in.bias.slopes = leaf({kHeads}); }},
        {"query_slopes",
         [](AttentionInput& in, const Sizes& s) {
             in.bias.query_slopes = leaf({kBatch, kHeads, s.rows});
         }},
        {"key_slopes",
         [](AttentionInput& in, const Sizes& s) {
             in.bias.key_slopes = leaf({kBatch, kHeads, s.columns});
         }},
        {"table",
         [](AttentionInput& in, const Sizes&) {
             in.bias.table = leaf({kHeads, 9});
         }},
        {"row",
         [](AttentionInput& in, const Sizes& s) {
             in.bias.row = leaf({kBatch, kHeads, s.rows});
         }},
        {"column",
         [](AttentionInput& in, const Sizes& s) {
             in.bias.column = leaf({1, kHeads, s.columns});
         }},
        {"curve",
         [](AttentionInput& in, const Sizes& s) {
             in.bias.curve = BiasCurve{.warp = leaf({s.columns + 3}),
                                       .row_scale = leaf({s.rows}),
                                       .knots = torch::linspace(-1, 1, 5, torch::kDouble),
                                       .offset = leaf({kHeads, 6}),
                                       .slope = leaf({kHeads, 6})};
         }},
        {"sink_logit", [](AttentionInput& in, const Sizes&) { in.bias.sink_logit = leaf({kHeads}); }},
        {"window",
         [](AttentionInput& in, const Sizes&) {
             in.bias.window = 5;
             in.bias.sinks = 2;
         }},
        {"positions",
         [](AttentionInput& in, const Sizes& s) {
             in.bias.positions = torch::arange(s.columns).mul(3).add(torch::arange(s.columns).remainder(2));
         }},
        {"far", [](AttentionInput& in, const Sizes& s) {
             in.far_q = leaf({kBatch, kHeads, s.rows, kHeadDim});
             in.far_k = leaf({kBatch, kHeads / 2, s.columns, kHeadDim});
             in.far_from = 4;
         }}};
    return parts;
}

AttentionInput input_of(const Sizes& sizes, const std::string& first, const std::string& second) {
    torch::manual_seed(5);
    AttentionInput in;
    in.q = leaf({kBatch, kHeads, sizes.rows, kHeadDim});
    in.k = leaf({kBatch, kHeads / 2, sizes.columns, kHeadDim});
    in.v = leaf({kBatch, kHeads / 2, sizes.columns, kHeadDim});
    parts().at(first)(in, sizes);
    if (second != first) parts().at(second)(in, sizes);
    return in;
}

// Returns the output, and the gradients of q, k, v and of each part if `backward`. With a type, q, k and v are rounded
// to it and, for fused, computed in it.
std::vector<at::Tensor> results(const std::string& name, const Sizes& sizes, const std::string& first,
                                const std::string& second, bool backward, at::ScalarType type = torch::kDouble) {
    auto in = input_of(sizes, first, second);
    AttentionRequest request;
    request.dtype = DType::fp64;
    request.head_dim = kHeadDim;
    const bool narrow = name == "fused";
    // In fp32, scores of hundreds lose what the comparison is about.
    constexpr double kMild = 1.0 / 64;
    for (auto* t : {&in.bias.slopes, &in.bias.query_slopes, &in.bias.key_slopes}) {
        if (type != torch::kDouble && t->defined()) *t = t->detach().mul(kMild).requires_grad_(true);
    }
    const auto round = [](at::Tensor& t, at::ScalarType rounded, at::ScalarType type_of) {
        if (t.defined() && t.is_floating_point())
            t = t.detach().to(rounded).to(type_of).requires_grad_(t.requires_grad());
    };
    for (auto* t : {&in.q, &in.k, &in.v, &in.far_q, &in.far_k}) round(*t, type, narrow ? type : torch::kDouble);
    if (narrow) {
        request.dtype = type == torch::kFloat ? DType::fp32 : DType::bf16;
        request.bias = in.bias.parts();
        request.sums = in.bias.slopes.defined() && in.bias.table.defined();
        request.windowed = in.bias.window > 0;
        request.far = in.far_q.defined();
        in.bias.for_each_tensor([&](at::Tensor& t) { round(t, torch::kFloat, torch::kFloat); });
    }
    const auto backend = make_attention_backend(name, request);
    const at::AutoGradMode grad(backward);
    const auto out = backend->forward(in);
    std::vector<at::Tensor> all = {out.detach()};
    if (!backward) return all;
    out.mul(torch::linspace(-1, 1, out.numel(), torch::kDouble).view_as(out)).sum().backward();
    std::vector<at::Tensor> leaves = {in.q, in.k, in.v};
    in.bias.for_each_tensor([&](at::Tensor& tensor) { leaves.push_back(tensor); });
    if (in.far_q.defined()) leaves.insert(leaves.end(), {in.far_q, in.far_k});
    for (const auto& tensor : leaves) {
        if (tensor.requires_grad()) all.push_back(tensor.grad());
    }
    return all;
}

TEST(BiasParts, SdpaIsReference) {
    int compared = 0;
    for (const auto& [first, fill] : parts()) {
        for (const auto& [second, other] : parts()) {
            if (second < first) continue;
            // A curve has a value for each distance between places, and none for those between given positions.
            if (first == "curve" && second == "positions") continue;
            for (const auto& sizes : {Sizes{11, 11}, Sizes{3, 17}, Sizes{1, 9}}) {
                SCOPED_TRACE(first + " " + second + " " + std::to_string(sizes.rows));
                const auto expected = results("reference", sizes, first, second, true);
                const auto found = results("sdpa", sizes, first, second, true);
                ASSERT_EQ(found.size(), expected.size());
                for (std::size_t i = 0; i < found.size(); ++i) {
                    ASSERT_TRUE(found[i].defined() && expected[i].defined()) << i;
                    EXPECT_LT(test::largest_difference(found[i], expected[i]), 1e-11) << i;
                }
                ++compared;
            }
        }
    }
    EXPECT_EQ(compared, 65 * 3);
}

TEST(BiasParts, FusedIsReference) {
    int compared = 0;
    std::vector<std::string> refused;
    for (const auto& [first, fill] : parts()) {
        for (const auto& [second, other] : parts()) {
            if (second < first || (first == "curve" && second == "positions")) continue;
            for (const auto type : {torch::kFloat, torch::kBFloat16}) {
                for (const auto& sizes : {Sizes{11, 11}, Sizes{3, 17}, Sizes{1, 9}, Sizes{150, 151}}) {
                    SCOPED_TRACE(first + " " + second + " " + std::to_string(sizes.rows) + " " + toString(type));
                    std::vector<at::Tensor> found;
                    try {
                        found = results("fused", sizes, first, second, true, type);
                    } catch (const ConfigError&) {
                        refused.push_back(first + " " + second);
                        continue;
                    }
                    const auto expected = results("reference", sizes, first, second, true, type);
                    ASSERT_EQ(found.size(), expected.size());
                    const bool half = type == torch::kBFloat16;
                    for (std::size_t i = 0; i < found.size(); ++i) {
                        ASSERT_TRUE(found[i].defined() && expected[i].defined()) << i;
                        double most = std::max(1.0, expected[i].abs().max().item<double>());
                        // A slope's gradient has terms that are rounded and then multiplied by distances.
                        if (half && i > 3) most = std::max(most, static_cast<double>(sizes.columns));
                        const double limit = i == 0 ? (half ? 0x1p-7 : 5e-6) : (half ? 6 * 0x1p-8 : 2e-5);
                        EXPECT_LT(test::largest_difference(found[i].to(torch::kDouble), expected[i]), limit * most)
                            << i;
                    }
                    ++compared;
                }
            }
        }
    }
    // Curves and far keys.
    const auto refusals = std::set(refused.begin(), refused.end());
    EXPECT_EQ(refusals.size(), 11 + 10 - 1) << testing::PrintToString(refusals);
    EXPECT_EQ(compared, (65 - static_cast<int>(refusals.size())) * 2 * 4);
}

TEST(BiasParts, SdpaTakesLongQueriesInBlocks) {
    const Sizes sizes{600, 600 + kTail};
    for (const auto& [part, fill] : parts()) {
        SCOPED_TRACE(part);
        const auto expected = results("reference", sizes, part, part, false);
        const auto found = results("sdpa", sizes, part, part, false);
        EXPECT_LT(test::largest_difference(found[0], expected[0]), 1e-11);
    }
}

// Queries and keys may be wider than values.
TEST(BiasParts, WideQueriesAndKeys) {
    AttentionRequest request;
    request.dtype = DType::fp64;
    request.head_dim = kHeadDim;
    request.score_dim = 2 * kHeadDim;
    torch::manual_seed(2);
    AttentionInput in;
    in.q = leaf({kBatch, kHeads, 300, 2 * kHeadDim});
    in.k = leaf({kBatch, kHeads, 300, 2 * kHeadDim});
    in.v = leaf({kBatch, kHeads, 300, kHeadDim});
    in.scale = 0.3;
    for (const bool grad : {true, false}) {
        const at::AutoGradMode mode(grad);
        const auto expected = make_attention_backend("reference", request)->forward(in);
        const auto found = make_attention_backend("sdpa", request)->forward(in);
        EXPECT_EQ(found.sizes(), in.v.sizes());
        EXPECT_LT(test::largest_difference(found, expected), 1e-12);
    }
    request.dtype = DType::fp32;
    EXPECT_THROW(make_attention_backend("fused", request), ConfigError);
}

TEST(BiasParts, EachBackendSaysWhatItDoesNotServe) {
    AttentionRequest request;
    request.head_dim = 64;
    const auto chosen = [&] { return make_attention_backend("auto", request)->name(); };
    EXPECT_EQ(chosen(), "fused");
    for (const auto part : {BiasPart::query_slopes, BiasPart::key_slopes, BiasPart::places, BiasPart::positions,
                            BiasPart::sinks, BiasPart::sink_logit}) {
        request.bias = {part};
        EXPECT_EQ(chosen(), "fused") << request.bias.text();
    }
    request.bias = {BiasPart::curve};
    EXPECT_EQ(chosen(), "sdpa");
    request.bias = {BiasPart::channel};
    EXPECT_EQ(chosen(), "reference");
    request.bias = {BiasPart::slopes, BiasPart::table};
    EXPECT_EQ(chosen(), "fused") << "of different layers";
    request.sums = true;
    EXPECT_EQ(chosen(), "fused");
    request = {};
    request.far = true;
    EXPECT_EQ(chosen(), "sdpa");
    request.attends = true;
    EXPECT_EQ(chosen(), "reference");
}

TEST(BiasParts, FusedSkipsWhereAllLayersFall) {
    AttentionRequest request;
    request.head_dim = 64;
    const auto skips = [&](BiasParts parts) {
        request.bias = parts;
        return make_attention_backend("fused", request)->skips();
    };
    EXPECT_TRUE(skips({BiasPart::slopes}));
    EXPECT_TRUE(skips({BiasPart::places}));
    EXPECT_TRUE(skips({BiasPart::places, BiasPart::sink_logit, BiasPart::sinks}));
    EXPECT_TRUE(skips({BiasPart::slopes, BiasPart::positions}));
    EXPECT_FALSE(skips({}));
    EXPECT_FALSE(skips({BiasPart::sink_logit}));
    EXPECT_FALSE(skips({BiasPart::slopes, BiasPart::table}));
    EXPECT_FALSE(skips({BiasPart::places, BiasPart::query_slopes}));
    request.table_fades = true;
    EXPECT_TRUE(skips({BiasPart::table}));
    EXPECT_TRUE(skips({BiasPart::slopes, BiasPart::table}));
    request.skip_threshold = std::numeric_limits<double>::infinity();
    EXPECT_FALSE(skips({BiasPart::places}));
}

}  // namespace
}  // namespace longbow
