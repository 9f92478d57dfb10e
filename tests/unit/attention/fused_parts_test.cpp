// Compares the fused operator with the formula for the parts of a bias that depend on the place of a query or a key, on
// every instruction set that this CPU has.
#include <gmock/gmock.h>

#include <functional>
#include <string>

#include "attention/ops/device.h"
#include "fused_case.h"

namespace longbow {
namespace {

class Parts : public Instructions {};

using Fill = std::function<void(Case&)>;

at::Tensor by_query(const Case& c) { return torch::randn({c.q.size(0), c.q.size(1), c.q.size(2)}); }
at::Tensor by_key(const Case& c) { return torch::randn({c.q.size(0), c.q.size(1), c.k.size(2)}); }

// Sums of the logarithms of gates, as FoX's: large, and of opposite signs.
void fill_gates(Case& c) {
    const auto sums = sums_of_gates(by_key(c).add(2.0));
    const auto first = std::max<std::int64_t>(0, c.k.size(2) - c.q.size(2));
    c.row = sums.slice(2, first).contiguous();
    if (c.row->size(2) < c.q.size(2)) c.row = torch::constant_pad_nd(*c.row, {c.q.size(2) - c.row->size(2), 0});
    c.column = sums.neg();
}

const std::vector<std::pair<std::string, Fill>>& parts() {
    static const std::vector<std::pair<std::string, Fill>> parts = {
        {"gates", fill_gates},
        {"row", [](Case& c) { c.row = by_query(c); }},
        {"column", [](Case& c) { c.column = by_key(c).slice(0, 0, 1); }},
        {"query slopes", [](Case& c) { c.query_slopes = by_query(c).mul(0.01); }},
        {"key slopes", [](Case& c) { c.key_slopes = by_key(c).slice(0, 0, 1).mul(0.01); }},
        {"sink logit", [](Case& c) { c.sink_logit = torch::randn({c.q.size(1)}).mul(3.0); }},
        {"sinks",
         [](Case& c) {
             c.window = 20;
             c.sinks = 5;
         }},
        {"slopes", [](Case& c) { c.slopes = geometric_slopes(c.q.size(1)); }},
        {"table", [](Case& c) {
             c.table = torch::randn({c.q.size(1), 40});
         }}};
    return parts;
}

TEST_P(Parts, EachAndSumsOfTwo) {
    for (std::size_t first = 0; first < parts().size(); ++first) {
        for (std::size_t second = first; second < parts().size(); ++second) {
            const auto type = (first + second) % 3 == 0 ? at::kBFloat16 : at::kFloat;
            SCOPED_TRACE(parts()[first].first + " + " + parts()[second].first + " " + toString(type));
            auto c = make_case({1, 2, 70, 133, 8, 1}, type);
            parts()[first].second(c);
            if (second != first) parts()[second].second(c);
            expect_equals_formula(c);
        }
    }
}

TEST_P(Parts, EveryShape) {
    const std::vector<std::pair<std::int64_t, std::int64_t>> lengths = {
        {1, 1}, {1, 90}, {3, 130}, {65, 65}, {200, 200}, {64, 200}, {130, 70}, {33, 34}, {40, 0}};
    for (const auto& [rows, columns] : lengths) {
        for (const bool causal : {true, false}) {
            SCOPED_TRACE(testing::Message() << rows << " x " << columns << (causal ? " causal" : ""));
            for (const auto& fill : {Fill(fill_gates), parts()[3].second, parts()[4].second, parts()[6].second}) {
                auto c = make_case({1, 2, rows, columns, 8}, rows % 2 == 0 ? at::kFloat : at::kBFloat16);
                c.causal = causal;
                c.sink_logit = torch::randn({2});
                fill(c);
                expect_equals_formula(c);
            }
        }
    }
}

TEST_P(Parts, RaggedLengthsAndDropout) {
    for (const auto type : {at::kFloat, at::kBFloat16, at::kHalf}) {
        for (const auto& [name, fill] : parts()) {
            SCOPED_TRACE(name + " " + toString(type));
            auto c = make_case({4, 2, 65, 90, 8, 1}, type);
            fill(c);
            c.lengths = torch::tensor({90, 0, 77, 1});
            c.dropout = 0.3;
            c.dropout_seed = 1234567890123;
            expect_equals_formula(c);
        }
    }
}

// Distances between given positions, whole and not; causal rows before the first key have none.
TEST_P(Parts, GivenPositions) {
    for (const bool whole : {true, false}) {
        for (const auto& [name, fill] : parts()) {
            SCOPED_TRACE(name + (whole ? " whole" : ""));
            auto c = make_case({2, 2, 133, 150, 8, 1}, whole ? at::kFloat : at::kHalf);
            c.slopes = geometric_slopes(2).mul(0.1);
            if (name != "table") c.table = torch::randn({2, 30});
            fill(c);
            c.causal = name != "slopes";
            const auto steps = torch::rand({150}, torch::kDouble).mul(4.0).add(0.5);
            c.positions = whole ? steps.ceil().cumsum(0).to(torch::kLong) : steps.cumsum(0);
            expect_equals_formula(c);
        }
    }
}

// Windows and sinks about the ends of blocks of keys, and a window that reaches the sinks.
TEST_P(Parts, SinksBesideEveryWindow) {
    for (const std::int64_t window : {1, 40, 65, 130, 250}) {
        for (const std::int64_t sinks : {1, 4, 64, 65, 1000}) {
            SCOPED_TRACE(testing::Message() << window << ", " << sinks);
            auto c = make_case({1, 2, 300, 300, 8}, sinks % 2 == 0 ? at::kFloat : at::kBFloat16);
            c.window = window;
            c.sinks = sinks;
            expect_equals_formula(c);
        }
    }
}

TEST_P(Parts, SinkLogitsOfEverySize) {
    for (const double sink : {-1e4, -50.0, 0.0, 20.0}) {
        auto c = make_case({1, 1, 90, 90, 16});
        c.sink_logit = torch::full({1}, sink);
        expect_equals_formula(c);
    }
    auto c = make_case({1, 1, 90, 90, 16});
    const auto without = fused_attention(c);
    c.sink_logit = torch::full({1}, -kInf);
    const auto with = fused_attention(c);
    EXPECT_TRUE(std::get<0>(with).equal(std::get<0>(without)));
    c.sink_logit = torch::full({1}, 1e4);
    EXPECT_EQ(largest(std::get<0>(fused_attention(c))), 0.0);
}

// Terms of a million differ by less than fp32 tells.
TEST_P(Parts, LargeTermsOfOppositeSignsDoNotLoseBits) {
    auto c = make_case({1, 2, 200, 200, 32});
    const auto sums = torch::rand({1, 2, 200}, torch::kDouble).neg().cumsum(2).sub(1e6);
    c.row = sums;
    c.column = sums.neg();
    expect_equals_formula(c);
}

// A hidden key's terms are never read as numbers.
TEST_P(Parts, WhatIsHiddenMayBeNotANumber) {
    for (const std::int64_t rows : {2, 100}) {
        auto c = make_case({1, 1, rows, 100, 16});
        c.lengths = torch::tensor({99});
        c.column = torch::zeros({1, 1, 100});
        const auto wanted = std::get<0>(fused_attention(c));
        c.column = c.column->clone();
        c.column->select(2, 99).fill_(std::nan(""));
        EXPECT_TRUE(std::get<0>(fused_attention(c)).equal(wanted));
        c.lengths = std::nullopt;
        const auto out = std::get<0>(fused_attention(c));
        EXPECT_EQ(out.isnan().any(3).sum().item<std::int64_t>(), 1) << "the last row alone sees it";
    }
}

TEST_P(Parts, BitsDoNotDependOnTheThreads) {
    const int before = torch::get_num_threads();
    for (const std::int64_t heads : {1, 5}) {
        for (const auto type : {at::kFloat, at::kBFloat16}) {
            auto c = make_case({1, heads, 330, 330, 16}, type);
            fill_gates(c);
            for (const auto& [name, fill] : parts()) {
                if (name != "row" && name != "column") fill(c);
            }
            c.window = 140;
            std::vector<at::Tensor> inputs;
            for (auto* t : {&c.q, &c.k, &c.v}) inputs.push_back(*t = t->detach().requires_grad_(true));
            for (auto* t : {&c.query_slopes, &c.key_slopes, &c.row, &c.column, &c.sink_logit, &c.slopes, &c.table}) {
                *t = (*t)->detach().requires_grad_(true);
                inputs.push_back(**t);
            }
            const auto weight = torch::randn(c.q.sizes()).to(type);
            const auto bits = [&](int threads) {
                torch::set_num_threads(threads);
                const auto out = std::get<0>(fused_attention(c));
                auto all = torch::autograd::grad({out}, inputs, {weight});
                all.push_back(out.detach());
                return all;
            };
            const auto one = bits(1);
            for (const int threads : {2, 3}) {
                const auto more = bits(threads);
                for (std::size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(one[i].equal(more[i])) << heads << " " << i;
            }
        }
    }
    torch::set_num_threads(before);
}

INSTANTIATE_TEST_SUITE_P(Cpu, Parts, testing::Values("portable", "avx2", "avx512", "avx512_bf16"),
                         [](const auto& chosen) { return std::string(chosen.param); });

// What devices do whose kernels know of no sink logit.
TEST(FusedParts, ASinkLogitMayBeAddedAfterwards) {
    auto c = make_case({3, 2, 40, 40, 16});
    c.lengths = torch::tensor({40, 0, 7});
    auto [out, lse] = fused_attention(c);
    c.sink_logit = torch::tensor({1.5, -kInf}, torch::kFloat);
    add_sink_logit(*c.sink_logit, out, lse);
    const auto [wanted, wanted_lse] = fused_attention(c);
    EXPECT_LT(largest(out - wanted), 1e-6);
    EXPECT_TRUE(lse.isneginf().equal(wanted_lse.isneginf()));
    EXPECT_LT(largest((lse - wanted_lse).masked_fill(lse.isneginf(), 0.0)), 1e-6);
    const auto grad = torch::randn(out.sizes());
    c.sink_logit->requires_grad_(true);
    const auto gradient = torch::autograd::grad({std::get<0>(fused_attention(c))}, {*c.sink_logit}, {grad})[0];
    EXPECT_LT(largest(sink_logit_gradient(*c.sink_logit, wanted, wanted_lse, grad) - gradient), 1e-5);
}

TEST(FusedParts, ArgumentsThatCannotBeServedAreNamed) {
    const auto with = [](const Fill& change) -> std::string {
        auto c = make_case({2, 3, 10, 12, 16});
        change(c);
        try {
            fused_attention(c);
        } catch (const c10::ValueError& error) {
            return error.what_without_backtrace();
        }
        return "no error";
    };
    using testing::HasSubstr;
    EXPECT_EQ(with(fill_gates), "no error");
    EXPECT_THAT(with([](Case& c) {
                    c.row = torch::zeros({2, 3, 12});
                }),
                HasSubstr("row must be [1 or batch, heads, length] = [1 or 2, 3, 10], not [2, 3, 12]"));
    EXPECT_THAT(with([](Case& c) { c.column = torch::zeros({3, 12}); }), HasSubstr("column must be"));
    EXPECT_THAT(with([](Case& c) { c.column = torch::zeros({2, 3, 12}, torch::kHalf); }), HasSubstr("column is Half"));
    EXPECT_THAT(with([](Case& c) {
                    c.query_slopes = torch::zeros({2, 3, 10}, torch::kDouble);
                }),
                HasSubstr("query_slopes is Double; fp32 is served"));
    EXPECT_THAT(with([](Case& c) { c.key_slopes = torch::zeros({2, 1, 12}); }), HasSubstr("key_slopes must be"));
    EXPECT_THAT(with([](Case& c) { c.sink_logit = torch::zeros({2}); }), HasSubstr("sink_logit must be [heads] = [3]"));
    EXPECT_THAT(with([](Case& c) { c.positions = torch::zeros({10}); }), HasSubstr("positions must be [Lk] = [12]"));
    EXPECT_THAT(with([](Case& c) { c.sinks = -1; }), HasSubstr("sinks"));
}

}  // namespace
}  // namespace longbow
