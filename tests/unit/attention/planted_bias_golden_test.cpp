// Plants the usual mistakes in biases by the distance, and expects the goldens to tell each.
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "longbow/position/position_method.h"
#include "position/alibi.h"
#include "unit/attention/golden_attention.h"
#include "unit/position/planted.h"

namespace longbow {
namespace {

using test::call_of;
using test::Case;
using test::Compared;
using test::matrix;
using test::Planted;

// Returns the bias as if each key were one place further back.
at::Tensor one_further(PositionMethod& method, std::int64_t length) {
    return matrix(method.bias(call_of(length + 1)), length + 1).narrow(1, 1, length).narrow(2, 0, length).tril();
}

// Returns i - j, or 0 for later keys.
at::Tensor distances(std::int64_t length) {
    const auto place = torch::arange(length, at::kDouble);
    return place.unsqueeze(1).sub(place).clamp_min(0);
}

// Returns the longest matrix of a case, "bias_L<length>".
at::Tensor longest_matrix(const Case& one) {
    std::int64_t length = 64;
    while (length > 1 && !one.has("bias_L" + std::to_string(length))) --length;
    return one.stored("bias_L" + std::to_string(length));
}

Compared alibi(const Case& one, bool further, double factor = 1) {
    const auto expected = longest_matrix(one);
    const auto length = expected.size(1);
    const auto method = one.make("alibi", {{"bias_max", one.settings()["bias_max"].get<double>()}});
    const auto found = further ? one_further(*method, length) : matrix(method->bias(call_of(length)), length);
    return {found.mul(factor), expected};
}

Compared alibi_slopes_of_12(const Case& one, SlopeRule rule) {
    const auto found = alibi_slopes(12, rule, one.settings()["bias_max"].get<double>());
    return {torch::tensor(found, at::kDouble), one.stored("slopes_H12")};
}

Compared alibi_in_longer_windows(const Case& one, bool interpolate, bool inverse) {
    const auto method =
        one.make("alibi", {{"bias_max", one.settings()["bias_max"].get<double>()}, {"interpolate", interpolate}},
                 one.count("train_length"));
    std::vector<at::Tensor> found;
    const auto& lengths = one.stored("interpolated_lengths");
    for (std::int64_t i = 0; i < lengths.size(0); ++i) {
        auto slopes = method->bias({.evaluated_length = lengths[i].item<std::int64_t>(), .keys = 1}).slopes;
        if (inverse) slopes = one.stored("slopes").square().div(slopes);
        found.push_back(slopes);
    }
    return {torch::stack(found), one.stored("interpolated_slopes")};
}

enum class KerpleMistake { none, further, swapped, power };

Compared kerple(const Case& one, const char* kernel, KerpleMistake mistake) {
    const auto expected = longest_matrix(one);
    const auto length = expected.size(1);
    const auto method = one.make("kerple", {{"kernel", std::string(kernel)}});
    auto parameters = method->named_parameters();
    const bool swapped = mistake == KerpleMistake::swapped;
    parameters["p"][0].copy_(one.stored(swapped ? "a_raw" : "p_raw"));
    parameters["a"][0].copy_(one.stored(swapped ? "p_raw" : "a_raw"));
    if (mistake == KerpleMistake::power) parameters["p"].add_(1.0);
    return {mistake == KerpleMistake::further ? one_further(*method, length)
                                              : matrix(method->bias(call_of(length)), length),
            expected};
}

// `change` gets the matrix, the distances, the heads' numbers from 1 on, [heads, 1, 1], and the number of sinusoids.
Compared sandwich(
    const Case& one, std::int64_t dim,
    const std::function<at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&, double)>& change) {
    const auto expected = longest_matrix(one);
    const auto length = expected.size(1), heads = one.count("heads");
    const auto found = matrix(one.make("sandwich", {{"dim", dim}})->bias(call_of(length)), length);
    const auto head = torch::arange(1, heads + 1, at::kDouble).view({-1, 1, 1});
    return {change(found, distances(length), head.mul(8.0).div(heads), static_cast<double>(dim) / 2).tril(), expected};
}

at::Tensor as_it_is(const at::Tensor& matrix, const at::Tensor&, const at::Tensor&, double) { return matrix; }

Compared fire(const Case& one, const char* left_out, double instead) {
    const OptionMap options = {{"threshold_length", static_cast<std::int64_t>(one.settings()["L0"].get<double>())}};
    const auto method = one.make("fire", options);
    auto parameters = method->named_parameters();
    for (const char* name : {"w1", "b1", "w2", "b2", "c", "m"})
        Case::set(parameters[name], one.stored(name).view(parameters[name][test::kLayer].sizes()));
    if (left_out != nullptr) parameters[left_out].fill_(instead);
    const auto expected = longest_matrix(one);
    return {matrix(method->bias(call_of(expected.size(1))), expected.size(1)), expected};
}

Compared given(const Case& one, const char* method, const char* expected, const at::Tensor& positions) {
    const auto made = one.make(method, {{"draw", std::string("integers")}, {"draw_max", one.count("N")}});
    for (const auto& item : made->named_parameters())
        item.value()[0].copy_(one.stored("kerple_" + stored_position_name(item.key())));
    auto call = call_of(positions.size(0));
    call.positions = call.key_positions = positions;
    return {matrix(made->bias(call), positions.size(0)), one.stored(expected).tril()};
}

at::Tensor given_or_places(const Case& one, bool places) {
    const auto& positions = one.stored("positions");
    return places ? torch::arange(positions.size(0)) : positions;
}

const Planted kPlanted[] = {
    {"alibi_variants", "distances are one too many", [](const Case& one, bool planted) { return alibi(one, planted); }},
    {"alibi_variants", "the exponents of the slopes are one step too low",
     [](const Case& one, bool planted) {
         const auto step = one.settings()["bias_max"].get<double>() / static_cast<double>(one.count("heads"));
         return alibi(one, false, planted ? std::exp2(step) : 1.0);
     }},
    {"alibi_variants", "12 heads have slopes by the rule for powers of two",
     [](const Case& one, bool planted) {
         return alibi_slopes_of_12(one, planted ? SlopeRule::geometric : SlopeRule::authors);
     }},
    {"alibi_variants", "the bias has the other sign",
     [](const Case& one, bool planted) { return alibi(one, false, planted ? -1.0 : 1.0); }},
    {"alibi_variants", "slopes of longer windows stay",
     [](const Case& one, bool planted) { return alibi_in_longer_windows(one, !planted, false); }},
    {"alibi_variants", "slopes of longer windows grow",
     [](const Case& one, bool planted) { return alibi_in_longer_windows(one, true, planted); }},
    {"kerple_log", "distances are one too many",
     [](const Case& one, bool planted) {
         return kerple(one, "log", planted ? KerpleMistake::further : KerpleMistake::none);
     }},
    {"kerple_log", "p and a are swapped",
     [](const Case& one, bool planted) {
         return kerple(one, "log", planted ? KerpleMistake::swapped : KerpleMistake::none);
     }},
    {"kerple_log", "the kernel is the power's",
     [](const Case& one, bool planted) { return kerple(one, planted ? "power" : "log", KerpleMistake::none); }},
    {"kerple_power", "distances are one too many",
     [](const Case& one, bool planted) {
         return kerple(one, "power", planted ? KerpleMistake::further : KerpleMistake::none);
     }},
    {"kerple_power", "p and a are swapped",
     [](const Case& one, bool planted) {
         return kerple(one, "power", planted ? KerpleMistake::swapped : KerpleMistake::none);
     }},
    {"kerple_power", "the power is one too many",
     [](const Case& one, bool planted) {
         return kerple(one, "power", planted ? KerpleMistake::power : KerpleMistake::none);
     }},
    {"sandwich", "the sinusoids are m = 0 .. d/2 - 1",
     [](const Case& one, bool planted) {
         return sandwich(
             one, one.count("dim"),
             [&](const at::Tensor& matrix, const at::Tensor& d, const at::Tensor& divisor, double /*half*/) {
                 return planted ? matrix.add(d.cos().sub(d.div(10000.0).cos()).div(divisor)) : matrix;
             });
     }},
    {"sandwich", "d/2 is not taken off",
     [](const Case& one, bool planted) {
         return sandwich(one, one.count("dim"),
                         [&](const at::Tensor& matrix, const at::Tensor& /*d*/, const at::Tensor& divisor,
                             double half) { return planted ? matrix.add(divisor.reciprocal().mul(half)) : matrix; });
     }},
    {"sandwich", "heads count from 2",
     [](const Case& one, bool planted) {
         return sandwich(
             one, one.count("dim"),
             [&](const at::Tensor& matrix, const at::Tensor& /*d*/, const at::Tensor& divisor, double /*half*/) {
                 return planted ? matrix.mul(divisor).div(divisor.add(divisor[0])) : matrix;
             });
     }},
    {"sandwich", "d is a head's size",
     [](const Case& one, bool planted) { return sandwich(one, planted ? 8 : one.count("dim"), as_it_is); }},
    {"fire", "distances are not multiplied by c",
     [](const Case& one, bool planted) { return fire(one, planted ? "c" : nullptr, 1); }},
    {"fire", "there is no threshold",
     [](const Case& one, bool planted) { return fire(one, planted ? "m" : nullptr, 0); }},
    {"fire", "the threshold is not multiplied by m",
     [](const Case& one, bool planted) { return fire(one, planted ? "m" : nullptr, 1); }},
    {"given_positions", "ALiBi's distances are between places",
     [](const Case& one, bool planted) { return given(one, "alibi", "alibi_bias", given_or_places(one, planted)); }},
    {"given_positions", "KERPLE's distances are between places",
     [](const Case& one, bool planted) {
         return given(one, "kerple", "kerple_log_bias", given_or_places(one, planted));
     }},
};

class PlantedBiasGolden : public testing::TestWithParam<Planted> {};

TEST_P(PlantedBiasGolden, IsTold) { test::expect_told(GetParam()); }

INSTANTIATE_TEST_SUITE_P(Mistakes, PlantedBiasGolden, testing::ValuesIn(kPlanted));

}  // namespace
}  // namespace longbow
