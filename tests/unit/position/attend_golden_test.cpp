// Compares methods that compute attention themselves with numbers of independent programs: outputs and gradients.
#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>
#include <map>
#include <string>

#include "longbow/position/position_method.h"
#include "position/path.h"
#include "unit/position/method_case.h"

namespace longbow {
namespace {

using test::attention_of;
using test::call_of;
using test::Case;
using test::for_each_case;
using test::kLayer;
using test::set_dape;
using test::tolerance_of;

TEST(AttendGolden, Cope) {
    for_each_case("cope", [](const Case& one) {
        const auto method = one.make("cope", {{"places", one.count("P")}});
        const auto table = method->named_parameters()["table"];
        EXPECT_EQ(table.abs().max().item<double>(), 0.0) << "the first value";
        Case::set(table, one.stored("table"));
        EXPECT_TRUE(method->attends(kLayer));
        const auto q = one.input("q"), k = one.input("k"), v = one.input("v");
        const auto out = method->attend(attention_of(q, k, v), call_of(q.size(2)));
        one.compare("", out, {{"q", q}, {"k", k}, {"v", v}});
        one.compare_parameter("table", table);
    });
}

TEST(AttendGolden, Dape) {
    for_each_case("dape", [](const Case& one) {
        const auto method = one.make("dape", {{"width", one.count("mlp_width")}});
        auto parameters = method->named_parameters();
        set_dape(parameters, one);
        EXPECT_TRUE(method->attends(kLayer));
        const auto q = one.input("q"), k = one.input("k"), v = one.input("v");
        const auto out = method->attend(attention_of(q, k, v), call_of(q.size(2)));
        one.compare("", out, {{"q", q}, {"k", k}, {"v", v}});
        one.compare_parameter("w1", parameters["in_weight"]);
        one.compare_parameter("b1", parameters["in_bias"]);
        one.compare_parameter("w2", parameters["out_weight"]);
        // What all keys of a query have in common changes nothing: this gradient is zero but for rounding.
        EXPECT_LT(one.stored("grad_b2").abs().max().item<double>(), 1e-12);
        EXPECT_LT(parameters["out_bias"].grad().abs().max().item<double>(), tolerance_of(one.type(), 1e-12, 1e-5));
    });
}

TEST(AttendGolden, StickBreaking) {
    for_each_case("stick_breaking", [](const Case& one) {
        const auto method = one.make("stick_breaking", {});
        EXPECT_TRUE(method->attends(kLayer));
        const auto q = one.input("q"), k = one.input("k"), v = one.input("v");
        // A column of ones among the values makes the sum of the weights, of which the remainder is the rest.
        const auto ones = torch::ones_like(v.narrow(3, 0, 1));
        const auto both = method->attend(attention_of(q, k, torch::cat({v, ones}, -1)), call_of(q.size(2)));
        const auto remainder = both.select(3, v.size(3)).neg().add(1.0);
        EXPECT_LT(test::relative_error(remainder[0], one.stored("remainder")), tolerance_of(one.type(), 1e-12, 1e-5));
        remainder.mul(one.stored("upstream_remainder").to(one.type())).sum().backward({}, /*retain_graph=*/true);
        one.compare("", both.narrow(3, 0, v.size(3)), {{"q", q}, {"k", k}, {"v", v}});
        EXPECT_EQ(both[0].select(1, 0).abs().max().item<double>(), 0.0) << "the first query sees nothing";
    });
}

TEST(AttendGolden, Path) {
    for_each_case("path", [](const Case& one) {
        for (const bool fox : {false, true}) {
            const auto q = one.input("q"), k = one.input("k"), v = one.input("v");
            const auto w = one.input("w_raw"), beta = one.input("beta_raw"), gates = one.input("gate_logits");
            PathTokens tokens;
            tokens.w = w.div(w.square().sum(-1, true).sqrt());
            tokens.beta = beta.sigmoid().mul(2.0);
            if (fox) tokens.log_gates = torch::log_sigmoid(gates);
            const auto out = path_attention(attention_of(q, k, v), tokens);
            std::map<std::string, at::Tensor> leaves = {{"q", q}, {"k", k}, {"v", v}, {"w_raw", w}, {"beta_raw", beta}};
            if (fox) leaves["gate_logits"] = gates;
            one.compare(fox ? "fox." : "", out, leaves);
        }
    });
}

// The identity for the values shows the softmax of the scores.
TEST(AttendGolden, ScoresOfDapeAndPath) {
    for_each_case("path", [](const Case& one) {
        const auto w = one.stored("w_raw").to(one.type()).unsqueeze(0);
        PathTokens tokens;
        tokens.w = w.div(w.square().sum(-1, true).sqrt());
        tokens.beta = one.stored("beta_raw").to(one.type()).unsqueeze(0).sigmoid().mul(2.0);
        const auto length = w.size(2), heads = w.size(1);
        const auto in = attention_of(one.input("q"), one.input("k"),
                                     torch::eye(length, one.type()).expand({1, heads, length, length}));
        const auto later = torch::ones({length, length}).triu(1).gt(0);
        const auto expected = one.stored("scores").masked_fill(later, -INFINITY).softmax(-1);
        EXPECT_LT(test::relative_error(path_attention(in, tokens)[0], expected), tolerance_of(one.type(), 1e-12, 1e-5));
    });
    for_each_case("dape", [](const Case& one) {
        const auto method = one.make("dape", {});
        auto parameters = method->named_parameters();
        set_dape(parameters, one);
        const auto q = one.input("q");
        const auto length = q.size(2), heads = q.size(1);
        const auto in =
            attention_of(q, one.input("k"), torch::eye(length, one.type()).expand({1, heads, length, length}));
        const auto later = torch::ones({length, length}).triu(1).gt(0);
        const auto expected = one.stored("scores").masked_fill(later, -INFINITY).softmax(-1);
        EXPECT_LT(test::relative_error(method->attend(in, call_of(length))[0], expected),
                  tolerance_of(one.type(), 1e-12, 1e-5));
    });
}

}  // namespace
}  // namespace longbow
