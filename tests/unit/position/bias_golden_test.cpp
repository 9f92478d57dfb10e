// Compares biases that are functions of the distance with numbers of independent programs: whole matrices, single
// places far beyond the trained length, and gradients of the parameters.
#include <gtest/gtest.h>
#include <torch/types.h>

#include <string>
#include <utility>

#include "longbow/core/error.h"
#include "longbow/position/position_method.h"
#include "unit/position/golden.h"

namespace longbow {
namespace {

constexpr double kTolerance = 1e-12, kFloatTolerance = 1e-6;

// What a golden file's method is called here, and its options in a case.
struct Named {
    std::string file, method;
    OptionMap options;
};

std::shared_ptr<PositionMethod> make(const Named& named, const Json& settings) {
    const auto heads = settings["heads"].get<std::int64_t>();
    auto options = named.options;
    if (settings.contains("dim")) options["dim"] = settings["dim"].get<std::int64_t>();
    return make_position_method(
        named.method, {2, 8 * heads, heads, settings["train_length"].get<std::int64_t>(), std::move(options)});
}

// Sets the parameters to those of the file, as they were before they were clamped.
void set_parameters(PositionMethod& method, const test::Tensors& tensors, const std::string& prefix) {
    const torch::NoGradGuard no_grad;
    for (const auto& item : method.named_parameters()) {
        const auto& value = tensors.at(prefix + item.key() + "_raw");
        item.value().copy_(value.view({1, -1}).expand_as(item.value()));
    }
}

at::Tensor matrix(const at::Tensor& table, std::int64_t length) {
    const auto place = torch::arange(length);
    const auto distance = place.unsqueeze(1).sub(place);
    return table.index_select(1, distance.clamp_min(0).flatten()).view({-1, length, length}).mul(distance.ge(0));
}

class BiasGolden : public testing::TestWithParam<Named> {
protected:
    // Calls test(method, prefix of the tensors' names, tolerance) for each case in fp64 and in fp32.
    template <typename Test>
    void for_each_case(Test test) {
        for (const auto& [name, settings] : golden_.settings.items()) {
            for (const auto type : {torch::kDouble, torch::kFloat}) {
                SCOPED_TRACE(name + (type == torch::kDouble ? " fp64" : " fp32"));
                const auto method = make(GetParam(), settings);
                method->to(type);
                set_parameters(*method, golden_.tensors, name + ".");
                test(*method, name + ".", type == torch::kDouble ? kTolerance : kFloatTolerance);
            }
        }
    }
    test::PositionGolden golden_{GetParam().file};
};

TEST_P(BiasGolden, MatricesAndFarPlaces) {
    int compared = 0;
    for_each_case([&](PositionMethod& method, const std::string& prefix, double tolerance) {
        for (const auto& [name, expected] : golden_.tensors) {
            if (!name.starts_with(prefix + "bias_L")) continue;
            const auto length = expected.size(1);
            const auto bias = method.bias({.evaluated_length = length, .keys = length});
            ASSERT_TRUE(bias.table.defined());
            EXPECT_LT(test::relative_error(matrix(bias.table, length), expected), tolerance) << name;
            ++compared;
        }
        const auto distance = golden_.tensors.at(prefix + "probe_i").sub(golden_.tensors.at(prefix + "probe_j"));
        const auto keys = distance.max().item<std::int64_t>() + 1;
        const auto table = method.bias({.evaluated_length = keys, .keys = keys}).table;
        ASSERT_EQ(table.size(1), keys) << "a far distance shares a column";
        EXPECT_LT(test::relative_error(table.index_select(1, distance), golden_.tensors.at(prefix + "probe_bias")),
                  tolerance);
    });
    EXPECT_GE(compared, 4);
}

TEST_P(BiasGolden, GradientsOfTheParameters) {
    int compared = 0;
    for_each_case([&](PositionMethod& method, const std::string& prefix, double tolerance) {
        if (method.parameters().empty()) return;
        const auto& upstream = golden_.tensors.at(prefix + "upstream");
        const auto length = upstream.size(1);
        const auto table = method.bias({.evaluated_length = length, .keys = length}).table;
        matrix(table, length).mul(upstream.to(table.scalar_type())).sum().backward();
        for (const auto& item : method.named_parameters()) {
            const auto& expected = golden_.tensors.at(prefix + "grad_" + item.key());
            EXPECT_LT(test::relative_error(item.value().grad().flatten(), expected), 10 * tolerance) << item.key();
            ++compared;
        }
    });
    EXPECT_EQ(compared, GetParam().method == "kerple" ? 8 : 0);
}

INSTANTIATE_TEST_SUITE_P(Files, BiasGolden,
                         testing::Values(Named{"kerple_log", "kerple", {{"kernel", std::string("log")}}},
                                         Named{"kerple_power", "kerple", {{"kernel", std::string("power")}}},
                                         Named{"sandwich", "sandwich", {}}),
                         [](const auto& file) { return file.param.file; });

// One pair of numbers for all layers, as the authors have it, or one a layer.
TEST(Kerple, SharesItsNumbersOrNot) {
    for (const bool shared : {true, false}) {
        const auto method = make_position_method("kerple", {3, 16, 2, 8, {{"shared", shared}}});
        EXPECT_EQ(method->named_parameters()["p"].size(0), shared ? 1 : 3);
        EXPECT_EQ(method->bias_differs_by_layer(), !shared);
        const auto first = method->bias({.layer = 0, .keys = 5}).table,
                   last = method->bias({.layer = 2, .keys = 5}).table;
        EXPECT_EQ(first.equal(last), shared);
        // A second layer's clamping does not spoil what the first one keeps for its gradient.
        first.add(last).sum().backward();
        EXPECT_TRUE(method->named_parameters()["a"].grad().defined());
    }
}

// A step across the border leaves numbers in range before the next pass.
TEST(Kerple, KeepsItsNumbersInRange) {
    const auto method = make_position_method("kerple", {1, 16, 2, 8, {{"kernel", std::string("power")}}});
    {
        const torch::NoGradGuard no_grad;
        method->named_parameters()["p"].fill_(-3);
        method->named_parameters()["a"].fill_(-1);
    }
    // A measurement leaves the run's numbers as they are, and computes with those in range.
    const auto measured = method->bias({.keys = 4}).table.clone();
    EXPECT_FLOAT_EQ(method->named_parameters()["p"].max().item<float>(), -3.0F);
    const auto trained = method->bias({.keys = 4, .training = true}).table;
    EXPECT_TRUE(measured.equal(trained));
    EXPECT_FLOAT_EQ(method->named_parameters()["p"].min().item<float>(), 0.01F);
    EXPECT_FLOAT_EQ(method->named_parameters()["a"].min().item<float>(), 0.01F);
    {
        const torch::NoGradGuard no_grad;
        method->named_parameters()["p"].fill_(7);
    }
    method->bias({.keys = 4, .training = true});
    EXPECT_FLOAT_EQ(method->named_parameters()["p"].max().item<float>(), 2.0F);
}

// A generation asks for one key more each time; what it gets is the start of one table.
TEST(Sandwich, GrowsWithTheKeys) {
    const auto method = make_position_method("sandwich", {1, 16, 2, 8, {}});
    const auto whole = make_position_method("sandwich", {1, 16, 2, 8, {}})->bias({.keys = 40}).table;
    for (std::int64_t keys = 1; keys <= 40; ++keys) {
        const auto table = method->bias({.keys = keys}).table;
        ASSERT_TRUE(table.equal(whole.narrow(1, 0, keys))) << keys;
    }
    EXPECT_THROW(make_position_method("sandwich", {1, 16, 2, 8, {{"dim", std::int64_t{7}}}}), ConfigError);
}

}  // namespace
}  // namespace longbow
