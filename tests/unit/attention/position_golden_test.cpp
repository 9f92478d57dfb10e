// Compares attention with the biases of position methods, by each back-end that adds them, with numbers of independent
// programs: outputs, gradients, and the last queries beside a cache.
#include <gtest/gtest.h>
#include <torch/types.h>

#include "unit/attention/golden_attention.h"

namespace longbow {
namespace {

using test::attend;
using test::backend_of;
using test::call_of;
using test::call_with_logits;
using test::Case;
using test::for_each_case;
using test::Inputs;
using test::relative_error;
using test::tolerance_of;

// Runs a test with each case that the back-end's arithmetic serves.
class PositionGolden : public testing::TestWithParam<const char*> {
protected:
    template <typename Test>
    static void for_each_served(const std::string& file, Test test) {
        for_each_case(file, [&](const Case& one) {
            if (one.type() == at::kFloat || std::string(GetParam()) != "fused") test(one);
        });
    }
};

TEST_P(PositionGolden, Fox) {
    for_each_served("fox", [&](const Case& one) {
        const auto method = one.make("fox", {});
        const auto weight = method->named_parameters()["weight"];
        Case::set(weight, torch::eye(weight.size(1), weight.size(2)));
        const Inputs in(one);
        const auto logits = one.stored("gate_logits").to(one.type()).unsqueeze(0).requires_grad_(true);
        const auto bias = method->bias(call_with_logits(one, logits));
        EXPECT_EQ(bias.parts(), method->parts_from_data(test::kLayer));
        EXPECT_LT(relative_error(bias.row[0], one.stored("log_forget_cumsum")), tolerance_of(one.type(), 1e-12, 1e-6));
        const auto backend = backend_of(GetParam(), one);
        one.compare("", attend(*backend, in, bias), {{"q", in.q}, {"k", in.k}, {"v", in.v}, {"gate_logits", logits}});
        // The last queries, as in a generation.
        const torch::NoGradGuard no_grad;
        const auto queries = one.count("decode_queries"), before = in.q.size(2) - queries;
        PositionState state;
        auto call = call_with_logits(one, logits.narrow(2, 0, before));
        call.state = &state;
        method->bias(call);
        call = call_with_logits(one, logits.narrow(2, before, queries));
        call.keys = call.evaluated_length = in.q.size(2);
        call.state = &state;
        auto last = in;
        last.q = in.q.narrow(2, before, queries);
        EXPECT_LT(relative_error(attend(*backend, last, method->bias(call))[0], one.stored("decode_out")),
                  tolerance_of(one.type(), 1e-12, 1e-5));
    });
}

// The logits of FoX's gates are Cable's with the other sign.
TEST_P(PositionGolden, CableIsFox) {
    for_each_served("cable", [&](const Case& one) {
        const auto method = one.make("fox", {});
        const auto weight = method->named_parameters()["weight"];
        Case::set(weight, torch::eye(weight.size(1), weight.size(2)).neg());
        const Inputs in(one);
        const auto h = one.stored("h").to(one.type()).unsqueeze(0).requires_grad_(true);
        const auto bias = method->bias(call_with_logits(one, h));
        const auto backend = backend_of(GetParam(), one);
        EXPECT_LT(relative_error(attend(*backend, in, bias)[0], one.stored("out_scaled")),
                  tolerance_of(one.type(), 1e-12, 1e-5));
        // The authors leave 1/sqrt(head_dim) out.
        one.compare("", attend(*backend, in, bias, 1.0), {{"q", in.q}, {"k", in.k}, {"v", in.v}, {"h", h}},
                    "out_unscaled");
    });
}

TEST_P(PositionGolden, Grape) {
    for_each_served("grape_a", [&](const Case& one) {
        for (const std::string gate : {"query", "key"}) {
            const auto method = one.make("grape", {{"gate", gate}});
            method->named_buffers()["slopes"].copy_(one.stored("slopes"));
            const auto omega = method->named_parameters()["omega"], u = method->named_parameters()["u"];
            Case::set(omega, one.stored("omega"));
            Case::set(u, one.stored("u"));
            const Inputs in(one);
            auto call = call_of(in.q.size(2));
            call.q = in.q;
            call.k = in.k;
            const auto bias = method->bias(call);
            EXPECT_EQ(bias.parts(), method->parts_from_data(test::kLayer));
            const auto dense = dense_bias(bias, in.q.size(2), in.k.size(2), at::TensorOptions(one.type()));
            EXPECT_LT(relative_error(dense[0].masked_fill(dense[0].isinf(), 0), one.stored(gate + ".bias")),
                      tolerance_of(one.type(), 1e-12, 1e-6));
            one.compare(gate + ".", attend(*backend_of(GetParam(), one), in, bias),
                        {{"q", in.q}, {"k", in.k}, {"v", in.v}});
            for (const auto& [name, parameter] : {std::pair{"omega", omega}, std::pair{"u", u}}) {
                EXPECT_LT(relative_error(parameter.grad()[test::kLayer], one.stored(gate + ".grad_" + name)),
                          tolerance_of(one.type(), 1e-11, 1e-5))
                    << name;
            }
        }
    });
}

TEST_P(PositionGolden, SinkLogit) {
    for_each_served("sink_logit", [&](const Case& one) {
        const Inputs in(one);
        BiasSpec bias;
        bias.sink_logit = one.stored("sink").to(one.type()).requires_grad_(true);
        one.compare("", attend(*backend_of(GetParam(), one), in, bias), {{"q", in.q}, {"k", in.k}, {"v", in.v}});
        EXPECT_LT(relative_error(bias.sink_logit.grad(), one.stored("grad_sink")),
                  tolerance_of(one.type(), 1e-11, 1e-5));
    });
}

INSTANTIATE_TEST_SUITE_P(Backends, PositionGolden, testing::Values("reference", "sdpa", "fused"),
                         [](const auto& chosen) { return std::string(chosen.param); });

TEST(ChannelGoldenByReference, Wall) {
    for_each_case("wall", [](const Case& one) {
        const auto method = one.make("wall", {{"gate_bias", 0.0}});
        const auto weight = method->named_parameters()["weight"];
        Case::set(weight, torch::eye(weight.size(1)));
        const Inputs in(one);
        const auto logits = one.input("gate_logits");
        auto call = call_of(in.q.size(2));
        call.x = logits.transpose(1, 2).flatten(2);
        one.compare("", attend(*backend_of("reference", one), in, method->bias(call)),
                    {{"q", in.q}, {"k", in.k}, {"v", in.v}, {"gate_logits", logits}});
    });
}

TEST(CurveGolden, Fire) {
    for_each_case("fire", [](const Case& one) {
        const OptionMap options = {{"threshold_length", static_cast<std::int64_t>(one.settings()["L0"].get<double>())}};
        const auto method = one.make("fire", options);
        auto parameters = method->named_parameters();
        for (const char* name : {"w1", "b1", "w2", "b2", "c", "m"})
            Case::set(parameters[name], one.stored(name).view(parameters[name][test::kLayer].sizes()));
        const auto matrix = [&](std::int64_t length) {
            const auto dense = dense_bias(method->bias(call_of(length)), length, length, at::TensorOptions(one.type()));
            return dense[0].masked_fill(dense[0].isinf(), 0);
        };
        int compared = 0;
        for (std::int64_t length = 1; length < 64; ++length) {
            const auto name = "bias_L" + std::to_string(length);
            if (!one.has(name)) continue;
            EXPECT_LT(relative_error(matrix(length), one.stored(name)), tolerance_of(one.type(), 1e-12, 1e-6)) << name;
            ++compared;
        }
        EXPECT_GE(compared, 2);
        // Single places far beyond the threshold: the row of a query alone.
        const auto &query = one.stored("probe_i"), &key = one.stored("probe_j");
        for (std::int64_t p = 0; p < query.size(0); ++p) {
            const torch::NoGradGuard no_grad;
            const auto keys = query[p].item<std::int64_t>() + 1;
            auto call = call_of(keys);
            call.positions = call.positions.narrow(0, keys - 1, 1);
            const auto row = dense_bias(method->bias(call), 1, keys, at::TensorOptions(one.type()))[0];
            EXPECT_LT(relative_error(row.select(2, key[p].item<std::int64_t>()).flatten(),
                                     one.stored("probe_bias").select(1, p)),
                      tolerance_of(one.type(), 1e-11, 1e-5));
        }
        const auto& upstream = one.stored("upstream");
        matrix(upstream.size(1)).mul(upstream.to(one.type())).sum().backward();
        for (const char* name : {"w1", "b1", "w2", "b2", "c", "m"}) {
            EXPECT_LT(relative_error(parameters[name].grad()[test::kLayer].flatten(),
                                     one.stored(std::string("grad_") + name).flatten()),
                      tolerance_of(one.type(), 1e-11, 1e-5))
                << name;
        }
    });
}

}  // namespace
}  // namespace longbow
