// Plants the usual mistakes in rotary positions and their scalings, and expects the goldens to tell each.
#include <gtest/gtest.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <ostream>
#include <string>
#include <utility>

#include "longbow/position/position_method.h"
#include "position/rotate_pairs.h"
#include "unit/position/planted.h"
#include "unit/position/rotary_case.h"

namespace longbow {
namespace {

using test::RotaryCase;

// What a mistake may change before frequencies are computed, or before queries are turned.
struct Turn {
    const Json &shared, &own;
    RotaryCase& made;
    RotarySettings& settings;
    at::Tensor& positions;

    [[nodiscard]] double number(const char* key) const { return own[key].get<double>(); }
    [[nodiscard]] double dim() const { return shared["head_dim"].get<double>(); }
    [[nodiscard]] double train_length() const { return shared["train_length"].get<double>(); }
};

struct PlantedTurn {
    std::string golden, mistake;
    std::function<void(Turn&)> plant;
    friend void PrintTo(const PlantedTurn& planted, std::ostream* out) {
        *out << planted.golden << ": " << planted.mistake;
    }
};

// Returns the errors of the frequencies and of turned queries, the largest of a file's cases, in that order.
std::pair<double, double> errors(const std::string& file, const std::function<void(Turn&)>& plant) {
    const test::PositionGolden golden(file, /*shipped=*/true);
    double of_frequencies = 0, of_queries = 0;
    for (const auto& [name, shared] : golden.settings.items()) {
        for (const auto& [label, own] : shared.items()) {
            if (!own.is_object()) continue;
            auto made = test::rotary_case(file, shared, own);
            auto settings = test::rotary_settings(made.options, shared);
            auto positions = golden.tensors.at(name + ".positions");
            Turn turn{shared, own, made, settings, positions};
            plant(turn);
            const auto prefix = name + "." + label + ".";
            of_frequencies =
                std::max(of_frequencies, test::relative_error(rotary_frequencies(settings, made.length, {}),
                                                              golden.tensors.at(prefix + "inv_freq")));
            const auto heads = shared["heads"].get<std::int64_t>(), dim = shared["head_dim"].get<std::int64_t>();
            const auto method = make_position_method(
                "rotary", {1, heads * dim, heads, shared["train_length"].get<std::int64_t>(), made.options, dim});
            const auto q = golden.tensors.at(name + ".q").to(torch::kDouble).unsqueeze(0);
            const auto found =
                method->rotate({.evaluated_length = made.length, .positions = positions, .q = q, .k = q}).q[0];
            of_queries = std::max(of_queries, test::relative_error(found, golden.tensors.at(prefix + "q_rotated")));
        }
    }
    return {of_frequencies, of_queries};
}

// ---- in the method's options: the turned queries tell ----

const PlantedTurn kPlantedOptions[] = {
    {"rotary_linear", "positions turn the other way", [](Turn& turn) { turn.positions = turn.positions.neg(); }},
    {"rotary_linear", "positions count from 1", [](Turn& turn) { turn.positions = turn.positions.add(1); }},
    {"rotary_linear", "pairs are of the two halves",
     [](Turn& turn) { turn.made.options["pairs"] = std::string(name_of(RotaryPairs::halves)); }},
    {"rotary_linear", "positions are multiplied",
     [](Turn& turn) {
         turn.made.options["base"] = turn.shared["base"].get<double>();
         turn.positions = turn.positions.mul(static_cast<std::int64_t>(turn.number("factor")));
         turn.made.options["scaling"] = std::string("none");
     }},
    {"rotary_dynamic_ntk", "the base is that of the trained length",
     [](Turn& turn) { turn.made.length = turn.shared["train_length"].get<std::int64_t>(); }},
    {"rotary_yarn", "queries and keys have no factor", [](Turn& turn) { turn.made.options["attention_factor"] = 1.0; }},
    {"rotary_yarn", "the factor counts twice",
     [](Turn& turn) { turn.made.options["attention_factor"] = std::pow(turn.number("attention_factor"), 2); }},
    {"rotary_longrope", "short windows have the list of long ones",
     [](Turn& turn) { turn.made.length = turn.shared["train_length"].get<std::int64_t>() + 1; }},
    {"rotary_p_rope", "the first elements of a head turn, with a spectrum of their own",
     [](Turn& turn) {
         turn.made.options.erase("share");
         turn.made.options["dim"] = 2 * turn.own["kept_pairs"].get<std::int64_t>();
     }},
    {"rotary_partial", "the spectrum is the whole head's",
     [](Turn& turn) {
         turn.made.options["share"] = turn.number("rotated_dims") / turn.dim();
         turn.made.options.erase("dim");
     }},
};

// ---- in what the frequencies are computed from ----

const PlantedTurn kPlantedFrequencies[] = {
    {"rotary_linear", "the frequencies stay", [](Turn& turn) { turn.settings.scaling = RotaryScaling::none; }},
    {"rotary_ntk", "the base is times alpha, without its power",
     [](Turn& turn) { turn.settings.base = turn.shared["base"].get<double>() * turn.number("alpha"); }},
    {"rotary_ntk", "all frequencies are divided by alpha",
     [](Turn& turn) {
         turn.settings.base = turn.shared["base"].get<double>();
         turn.settings.scaling = RotaryScaling::linear;
         turn.settings.factor = turn.number("alpha");
     }},
    {"rotary_dynamic_ntk", "the factor less one is not taken off",
     [](Turn& turn) {
         const auto stretch = turn.number("factor") * static_cast<double>(turn.made.length) / turn.train_length();
         if (stretch <= 1) return;
         turn.settings.scaling = RotaryScaling::none;
         turn.settings.base *= std::pow(stretch, turn.dim() / (turn.dim() - 2));
     }},
    {"rotary_yarn", "the ramp's ends are swapped",
     [](Turn& turn) { std::swap(turn.settings.beta_fast, turn.settings.beta_slow); }},
    {"rotary_yarn", "the ramp's ends are rounded the other way",
     [](Turn& turn) { turn.settings.truncate = !turn.settings.truncate; }},
    {"rotary_yarn", "all frequencies are divided", [](Turn& turn) { turn.settings.scaling = RotaryScaling::linear; }},
    {"rotary_llama3", "the factors of low and high are swapped",
     [](Turn& turn) { std::swap(turn.settings.low_freq_factor, turn.settings.high_freq_factor); }},
    {"rotary_llama3", "all frequencies are divided", [](Turn& turn) { turn.settings.scaling = RotaryScaling::linear; }},
    {"rotary_longrope", "the lists are swapped",
     [](Turn& turn) { std::swap(turn.settings.short_factors, turn.settings.long_factors); }},
    {"rotary_p_rope", "a pair too many turns", [](Turn& turn) { turn.settings.share += 2 / turn.dim(); }},
    {"rotary_partial", "the base is another", [](Turn& turn) { turn.settings.base *= 2; }},
};

TEST(PlantedRotaryGolden, NothingPlantedAgrees) {
    for (const auto* file : {"rotary_linear", "rotary_ntk", "rotary_dynamic_ntk", "rotary_yarn", "rotary_llama3",
                             "rotary_longrope", "rotary_partial", "rotary_p_rope"}) {
        const auto [of_frequencies, of_queries] = errors(file, [](Turn& /*turn*/) {});
        EXPECT_LT(of_frequencies, 1e-14) << file;
        EXPECT_LT(of_queries, 1e-10) << file;
    }
}

class PlantedOptionsGolden : public testing::TestWithParam<PlantedTurn> {};
TEST_P(PlantedOptionsGolden, IsToldByTurnedQueries) {
    EXPECT_GT(errors(GetParam().golden, GetParam().plant).second, test::kTold);
}
INSTANTIATE_TEST_SUITE_P(Mistakes, PlantedOptionsGolden, testing::ValuesIn(kPlantedOptions));

class PlantedFrequenciesGolden : public testing::TestWithParam<PlantedTurn> {};
TEST_P(PlantedFrequenciesGolden, IsToldByFrequencies) {
    EXPECT_GT(errors(GetParam().golden, GetParam().plant).first, test::kTold);
}
INSTANTIATE_TEST_SUITE_P(Mistakes, PlantedFrequenciesGolden, testing::ValuesIn(kPlantedFrequencies));

}  // namespace
}  // namespace longbow
