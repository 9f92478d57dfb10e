// Plants the usual mistakes in biases that the tokens set, in masks, and in distances of rotations, and expects the
// goldens to tell each.
#include <cmath>
#include <functional>
#include <optional>
#include <string>

#include "longbow/position/position_method.h"
#include "unit/attention/golden_attention.h"
#include "unit/position/planted.h"

namespace longbow {
namespace {

using test::call_of;
using test::Case;
using test::Compared;
using test::Inputs;
using test::matrix;
using test::Planted;

struct Gated {
    BiasSpec bias;
    at::Tensor logits, gates;  // [1, heads, length]; the gates' logarithms
};

Gated gated(const Case& one, const char* key, double sign) {
    const auto method = one.make("fox", {});
    const auto weight = method->named_parameters()["weight"];
    Case::set(weight, torch::eye(weight.size(1), weight.size(2)).mul(sign));
    Gated result;
    result.logits = one.stored(key).to(at::kDouble).unsqueeze(0);
    result.gates = torch::log_sigmoid(result.logits.mul(sign));
    result.bias = method->bias(test::call_with_logits(one, result.logits));
    return result;
}

at::Tensor out_of(const Case& one, const BiasSpec& bias, std::optional<double> scale = {}) {
    return test::attend(*test::backend_of("reference", one), Inputs(one), bias, scale)[0];
}

Compared fox(const Case& one, const std::function<void(Gated&)>& change) {
    auto tokens = gated(one, "gate_logits", 1);
    change(tokens);
    return {out_of(one, tokens.bias), one.stored("out")};
}

// `sums` stands in for the running sums of the gates' logarithms.
void set_sums(Gated& tokens, const at::Tensor& sums) {
    tokens.bias.row = sums;
    tokens.bias.column = sums.neg();
}

struct GrapeMistake {
    const char* gate;
    double of_vectors = 1;
    bool without_omega = false, without_norm = false;
};

Compared grape(const Case& one, const char* gate, const GrapeMistake& mistake) {
    const auto method = one.make("grape", {{"gate", std::string(mistake.gate)}});
    method->named_buffers()["slopes"].copy_(one.stored("slopes"));
    auto parameters = method->named_parameters();
    if (!mistake.without_omega) Case::set(parameters["omega"], one.stored("omega"));
    Case::set(parameters["u"], one.stored("u"));
    const Inputs in(one);
    auto call = call_of(in.q.size(2));
    const auto norm = mistake.without_norm ? one.stored("u").norm(2, {1}).view({1, -1, 1, 1}) : torch::ones({1});
    call.q = in.q.mul(norm).mul(mistake.of_vectors);
    call.k = in.k.mul(norm).mul(mistake.of_vectors);
    return {matrix(method->bias(call), in.q.size(2)), one.stored(std::string(gate) + ".bias")};
}

Compared sink_logit(const Case& one, const std::function<void(BiasSpec&)>& change) {
    BiasSpec bias;
    bias.sink_logit = one.stored("sink").to(at::kDouble);
    change(bias);
    return {out_of(one, bias), one.stored("out")};
}

at::Tensor out_of(const Case& one, PositionMethod& method, std::int64_t window) {
    const Inputs in(one);
    auto call = call_of(in.q.size(2));
    call.window = window;
    call.q = in.q;
    call.k = in.k;
    const auto rotated = method.rotate(call);
    AttentionInput input;
    input.q = rotated.q;
    input.k = rotated.k;
    input.v = in.v;
    input.far_q = rotated.far_q;
    input.far_k = rotated.far_k;
    input.far_from = rotated.far_from;
    input.bias = method.bias(call);
    input.bias.window = window;
    return test::backend_of("reference", one)->forward(input)[0];
}

Compared sink_window(const Case& one, const char* name, const char* method, OptionMap options, std::int64_t more_window,
                     std::int64_t more_sinks) {
    options["sinks"] = one.count("sinks") + more_sinks;
    return {out_of(one, *one.make(method, options), one.count("window") + more_window),
            one.stored(std::string(name) + ".out")};
}

Compared two_range(const Case& one, const char* name, const char* range, std::int64_t more_window, double factor) {
    OptionMap options = {{"range", std::string(range)}, {"range_window", one.count("window") + more_window}};
    if (std::string(range) == "self_extend")
        options["range_group"] = static_cast<std::int64_t>(static_cast<double>(one.count("group")) * factor);
    if (std::string(range) == "leaky_rerope")
        options["range_factor"] = one.settings()["leaky_factor"].get<double>() * factor;
    return {out_of(one, *one.make("rotary", options), 0), one.stored(std::string(name) + ".out")};
}

const Planted kPlanted[] = {
    {"fox", "a key's own gate counts",
     [](const Case& one, bool planted) {
         return fox(one, [&](Gated& tokens) {
             if (planted) tokens.bias.column = tokens.bias.column.add(tokens.gates);
         });
     }},
    {"fox", "gates are not summed",
     [](const Case& one, bool planted) {
         return fox(one, [&](Gated& tokens) {
             if (planted) set_sums(tokens, tokens.gates);
         });
     }},
    {"fox", "gates have no logarithm",
     [](const Case& one, bool planted) {
         return fox(one, [&](Gated& tokens) {
             if (planted) set_sums(tokens, tokens.gates.exp().cumsum(2));
         });
     }},
    {"fox", "sums are divided as scores are",
     [](const Case& one, bool planted) {
         return fox(one, [&](Gated& tokens) {
             if (planted) set_sums(tokens, tokens.bias.row.div(std::sqrt(static_cast<double>(one.count("head_dim")))));
         });
     }},
    {"cable", "the logits have FoX's sign",
     [](const Case& one, bool planted) -> Compared {
         return {out_of(one, gated(one, "h", planted ? 1 : -1).bias), one.stored("out_scaled")};
     }},
    {"cable", "scores are divided",
     [](const Case& one, bool planted) -> Compared {
         const auto bias = gated(one, "h", -1).bias;
         return {planted ? out_of(one, bias) : out_of(one, bias, 1.0), one.stored("out_unscaled")};
     }},
    {"grape_a", "the key gates in place of the query",
     [](const Case& one, bool planted) { return grape(one, "query", {planted ? "key" : "query"}); }},
    {"grape_a", "the query gates in place of the key",
     [](const Case& one, bool planted) { return grape(one, "key", {planted ? "query" : "key"}); }},
    {"grape_a", "u keeps its length",
     [](const Case& one, bool planted) {
         return grape(one, "query", {"query", 1, false, planted});
     }},
    {"grape_a", "the gate is not divided by sqrt(D)",
     [](const Case& one, bool planted) {
         const auto root = std::sqrt(static_cast<double>(one.count("head_dim")));
         return grape(one, "query", {"query", planted ? root : 1.0});
     }},
    {"grape_a", "omega is left out",
     [](const Case& one, bool planted) {
         return grape(one, "key", {"key", 1, planted});
     }},
    {"sink_logit", "each head has the next one's logit",
     [](const Case& one, bool planted) {
         return sink_logit(one, [&](BiasSpec& bias) { bias.sink_logit = bias.sink_logit.roll(planted ? 1 : 0); });
     }},
    {"sink_logit", "the logit takes no weight",
     [](const Case& one, bool planted) {
         return sink_logit(one, [&](BiasSpec& bias) {
             if (planted) bias.sink_logit.reset();
         });
     }},
    {"sink_window", "the window has a key too many",
     [](const Case& one, bool planted) { return sink_window(one, "none", "none", {}, planted ? 1 : 0, 0); }},
    {"sink_window", "there is a sink too few",
     [](const Case& one, bool planted) { return sink_window(one, "alibi", "alibi", {}, 0, planted ? -1 : 0); }},
    {"sink_window", "LM-Infinite's distances have no cap",
     [](const Case& one, bool planted) {
         return sink_window(one, "lm_infinite", "rotary", {{"range", std::string(planted ? "none" : "lm_infinite")}}, 0,
                            0);
     }},
    {"sink_window", "StreamingLLM's distances are LM-Infinite's",
     [](const Case& one, bool planted) {
         return sink_window(one, "streaming", "rotary", {{"range", std::string(planted ? "lm_infinite" : "streaming")}},
                            0, 0);
     }},
    {"two_range", "ReRoPE's window is one too many",
     [](const Case& one, bool planted) { return two_range(one, "rerope", "rerope", planted ? 1 : 0, 1); }},
    {"two_range", "leaky ReRoPE does not leak",
     [](const Case& one, bool planted) {
         return two_range(one, "leaky_rerope", planted ? "rerope" : "leaky_rerope", 0, 1);
     }},
    {"two_range", "leaky ReRoPE leaks twice as slowly",
     [](const Case& one, bool planted) { return two_range(one, "leaky_rerope", "leaky_rerope", 0, planted ? 2 : 1); }},
    {"two_range", "SelfExtend's groups are twice as large",
     [](const Case& one, bool planted) { return two_range(one, "self_extend", "self_extend", 0, planted ? 2 : 1); }},
};

class PlantedGateGolden : public testing::TestWithParam<Planted> {};

TEST_P(PlantedGateGolden, IsTold) { test::expect_told(GetParam()); }

INSTANTIATE_TEST_SUITE_P(Mistakes, PlantedGateGolden, testing::ValuesIn(kPlanted));

}  // namespace
}  // namespace longbow
