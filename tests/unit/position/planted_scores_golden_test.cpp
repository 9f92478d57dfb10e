// Plants the usual mistakes in methods that weigh channels, that compute attention themselves or that multiply queries,
// and expects the goldens to tell each.
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "longbow/position/position_method.h"
#include "position/path.h"
#include "unit/position/method_case.h"
#include "unit/position/planted.h"

namespace longbow {
namespace {

using test::attention_of;
using test::call_at;
using test::call_of;
using test::Case;
using test::Compared;
using test::Planted;
using test::scores_of;

double root_of_head_dim(const Case& one) { return std::sqrt(static_cast<double>(one.count("head_dim"))); }

// ---- channels ----

Compared xpos(const Case& one, double base, double scale_base, double of_channel) {
    const auto method = one.make("xpos", {{"base", base}, {"scale_base", scale_base}});
    const auto& places = one.stored("positions");
    const auto call = call_at(places, one.input("q"), one.input("k"));
    const auto channel = method->bias(call).channel.index_select(2, places).mul(of_channel);
    return {scores_of(method->rotate(call), channel, one.count("head_dim"))[0], one.stored("scores")};
}

double setting(const Case& one, const char* key) { return one.settings()[key].get<double>(); }

// `direction` -1 turns backwards, which gives the phases the other sign.
Compared pope(const Case& one, double base, double of_delta, std::int64_t direction) {
    const auto method = one.make("pope", {{"base", base}});
    Case::set(method->named_parameters()["delta"], one.stored("delta").mul(of_delta));
    auto call = call_at(one.stored("positions"), one.input("q"), one.input("k"));
    call.positions = call.positions.mul(direction);
    const auto rotated = method->rotate(call);
    return {rotated.q.matmul(rotated.k.transpose(2, 3)).div(root_of_head_dim(one)).tril()[0], one.stored("scores")};
}

Compared wall(const Case& one, const std::function<at::Tensor(const at::Tensor& gates)>& channel_of) {
    const auto gates = torch::log_sigmoid(one.input("gate_logits").to(at::kDouble));
    Rotated plain{.q = one.input("q"), .k = one.input("k")};
    const auto scores = scores_of(plain, channel_of(gates), one.count("head_dim"));
    return {scores[0], one.stored("scores")};
}

// Returns the program's own channel.
at::Tensor wall_channel(const Case& one) {
    const auto method = one.make("wall", {{"gate_bias", 0.0}});
    const auto weight = method->named_parameters()["weight"];
    Case::set(weight, torch::eye(weight.size(1)));
    auto call = call_of(one.stored("q").size(1));
    call.x = one.input("gate_logits").transpose(1, 2).flatten(2);
    return method->bias(call).channel;
}

// ---- attention of their own ----

Compared cope(const Case& one, const std::function<at::Tensor(const at::Tensor& table)>& change) {
    const auto table = change(one.stored("table"));
    const auto method = one.make("cope", {{"places", table.size(1)}});
    Case::set(method->named_parameters()["table"], table);
    const auto q = one.input("q");
    return {method->attend(attention_of(q, one.input("k"), one.input("v")), call_of(q.size(2)))[0], one.stored("out")};
}

Compared dape(const Case& one, const std::function<void(test::Parameters&)>& change) {
    const auto method = one.make("dape", {{"width", one.count("mlp_width")}});
    auto parameters = method->named_parameters();
    test::set_dape(parameters, one);
    change(parameters);
    const auto q = one.input("q");
    return {method->attend(attention_of(q, one.input("k"), one.input("v")), call_of(q.size(2)))[0], one.stored("out")};
}

void swap(at::Tensor a, at::Tensor b) {
    const auto kept = a.clone();
    a.copy_(b);
    b.copy_(kept);
}

// `own`: each query is put one place later, so that the key at its own place is among those before it.
Compared stick_breaking(const Case& one, bool own, double scale) {
    const auto later = [&](const at::Tensor& x) { return own ? torch::constant_pad_nd(x, {0, 0, 1, 0}) : x; };
    const auto longer = [&](const at::Tensor& x) { return own ? torch::constant_pad_nd(x, {0, 0, 0, 1}) : x; };
    const auto q = one.input("q");
    auto in = attention_of(later(q), longer(one.input("k")), longer(one.input("v")));
    in.scale *= scale;
    const auto out = one.make("stick_breaking", {})->attend(in, call_of(in.q.size(2)));
    return {out[0].slice(1, own ? 1 : 0), one.stored("out")};
}

Compared path(const Case& one, bool fox, const std::function<void(PathTokens&)>& change) {
    const auto w = one.input("w_raw");
    PathTokens tokens;
    tokens.w = w.div(w.square().sum(-1, true).sqrt());
    tokens.beta = one.input("beta_raw").sigmoid().mul(2.0);
    if (fox) tokens.log_gates = torch::log_sigmoid(one.input("gate_logits"));
    change(tokens);
    return {path_attention(attention_of(one.input("q"), one.input("k"), one.input("v")), tokens)[0],
            one.stored(fox ? "fox.out" : "out")};
}

// ---- factors on queries ----

// Returns the factors at the golden's positions as if they were `more` tokens further.
Compared factors(const Case& one, const OptionMap& options, const char* expected, std::int64_t more,
                 std::int64_t roll) {
    const auto method = one.make("none", options, one.count("train_length"));
    if (options.at("temperature") == OptionValue(std::string("ssmax")))
        Case::set(method->named_parameters()["temperature"], one.stored("ssmax_s").roll(roll));
    if (options.contains("temperature_bias"))
        Case::set(method->named_parameters()["temperature_bias"], one.stored("ssmax_b"));
    const auto heads = one.count("heads");
    const auto& positions = one.stored("positions");
    std::vector<at::Tensor> columns;
    for (std::int64_t i = 0; i < positions.size(0); ++i) {
        const auto keys = positions[i].item<std::int64_t>() + 1 + more;
        auto call = call_of(1);
        call.keys = call.evaluated_length = keys;
        call.q = call.k = torch::ones({1, heads, 1, 8}, at::kDouble);
        columns.push_back(method->rotate(call).q.select(3, 0).reshape({heads, 1}));
    }
    const auto found = torch::cat(columns, 1);
    return {found, one.stored(expected).expand_as(found)};
}

OptionMap temperature(const char* form) { return {{"temperature", std::string(form)}}; }

OptionMap llama4(const Case& one, std::int64_t floor_times) {
    const auto& settings = one.settings()["llama4"];
    auto options = temperature("llama4");
    options["temperature_floor"] = settings["floor_scale"].get<std::int64_t>() * floor_times;
    options["temperature_scale"] = settings["attn_scale"].get<double>();
    return options;
}

const Planted kPlanted[] = {
    {"xpos", "theta has another base",
     [](const Case& one, bool planted) {
         return xpos(one, setting(one, "base") * (planted ? 1.01 : 1), setting(one, "scale_base"), 1);
     }},
    {"xpos", "the scale's base is half",
     [](const Case& one, bool planted) {
         return xpos(one, setting(one, "base"), setting(one, "scale_base") / (planted ? 2 : 1), 1);
     }},
    {"xpos", "far keys grow",
     [](const Case& one, bool planted) {
         return xpos(one, setting(one, "base"), setting(one, "scale_base"), planted ? -1 : 1);
     }},
    {"pope", "theta is that of pairs",
     [](const Case& one, bool planted) { return pope(one, std::pow(setting(one, "base"), planted ? 2 : 1), 1, 1); }},
    {"pope", "there are no phases",
     [](const Case& one, bool planted) { return pope(one, setting(one, "base"), planted ? 0 : 1, 1); }},
    {"pope", "phases have the other sign",
     [](const Case& one, bool planted) { return pope(one, setting(one, "base"), 1, planted ? -1 : 1); }},
    {"wall", "a key's own gate counts",
     [](const Case& one, bool planted) {
         const auto own = wall_channel(one);
         auto compared = wall(one, [&](const at::Tensor& /*gates*/) { return own; });
         if (!planted) return compared;
         const auto gates = torch::log_sigmoid(one.input("gate_logits"));
         Rotated rotated{.q = one.input("q"), .k = one.input("k").mul(gates.exp())};
         return Compared{scores_of(rotated, own, one.count("head_dim"))[0], compared.expected};
     }},
    {"wall", "gates are not summed",
     [](const Case& one, bool planted) {
         return wall(one, [&](const at::Tensor& gates) { return planted ? gates : wall_channel(one); });
     }},
    {"wall", "a head has one gate for all channels",
     [](const Case& one, bool planted) {
         return wall(one, [&](const at::Tensor& /*gates*/) {
             const auto own = wall_channel(one);
             return planted ? own.mean(3, true).expand_as(own) : own;
         });
     }},
    {"cope", "places count from 1",
     [](const Case& one, bool planted) {
         return cope(one, [&](const at::Tensor& table) { return planted ? table.roll(-1, 1) : table; });
     }},
    {"cope", "there is a place too few",
     [](const Case& one, bool planted) {
         return cope(one, [&](const at::Tensor& table) { return table.narrow(1, 0, planted ? 2 : table.size(1)); });
     }},
    {"cope", "the term of the place is not divided",
     [](const Case& one, bool planted) {
         return cope(one, [&](const at::Tensor& table) { return planted ? table.mul(root_of_head_dim(one)) : table; });
     }},
    {"dape", "p and a are swapped",
     [](const Case& one, bool planted) {
         return dape(one, [&](test::Parameters& parameters) {
             if (planted) swap(parameters["p"], parameters["a"]);
         });
     }},
    {"dape", "the perceptron reads the bias first",
     [](const Case& one, bool planted) {
         return dape(one, [&](test::Parameters& parameters) {
             auto halves = parameters["in_weight"].chunk(2, 2);
             if (planted) swap(halves[0], halves[1]);
         });
     }},
    {"dape", "the perceptron adds nothing",
     [](const Case& one, bool planted) {
         return dape(one, [&](test::Parameters& parameters) {
             if (planted) parameters["out_weight"].zero_();
         });
     }},
    {"stick_breaking", "the query's own key takes a share",
     [](const Case& one, bool planted) { return stick_breaking(one, planted, 1); }},
    {"stick_breaking", "scores are not divided",
     [](const Case& one, bool planted) { return stick_breaking(one, false, planted ? root_of_head_dim(one) : 1); }},
    {"path", "beta is in (0, 1)",
     [](const Case& one, bool planted) {
         return path(one, false, [&](PathTokens& tokens) { tokens.beta = tokens.beta.mul(planted ? 0.5 : 1.0); });
     }},
    {"path", "w keeps its length",
     [](const Case& one, bool planted) {
         return path(one, false, [&](PathTokens& tokens) {
             if (planted) tokens.w = one.input("w_raw");
         });
     }},
    {"path", "gates are divided as scores are",
     [](const Case& one, bool planted) {
         return path(one, true, [&](PathTokens& tokens) {
             if (planted) tokens.log_gates = tokens.log_gates.div(root_of_head_dim(one));
         });
     }},
    {"query_scale", "log_n counts one key too many",
     [](const Case& one, bool planted) {
         return factors(one, temperature("log_n"), "logn_clipped", planted ? 1 : 0, 0);
     }},
    {"query_scale", "ssmax counts one key too many",
     [](const Case& one, bool planted) { return factors(one, temperature("ssmax"), "ssmax", planted ? 1 : 0, 0); }},
    {"query_scale", "each head has the next one's s",
     [](const Case& one, bool planted) { return factors(one, temperature("ssmax"), "ssmax", 0, planted ? 1 : 0); }},
    {"query_scale", "ssmax has no b",
     [](const Case& one, bool planted) {
         auto options = temperature("ssmax");
         if (!planted) options["temperature_bias"] = true;
         return factors(one, options, "ssmax_with_bias", 0, 0);
     }},
    {"query_scale", "Llama 4's steps are twice as long",
     [](const Case& one, bool planted) { return factors(one, llama4(one, planted ? 2 : 1), "llama4", 0, 0); }},
    {"query_scale", "Llama 4's steps begin a key early",
     [](const Case& one, bool planted) { return factors(one, llama4(one, 1), "llama4", planted ? 1 : 0, 0); }},
};

class PlantedScoresGolden : public testing::TestWithParam<Planted> {};

TEST_P(PlantedScoresGolden, IsTold) { test::expect_told(GetParam()); }

INSTANTIATE_TEST_SUITE_P(Mistakes, PlantedScoresGolden, testing::ValuesIn(kPlanted));

}  // namespace
}  // namespace longbow
