// Compares a method's outputs and gradients with numbers of independent programs, case by case in fp64 and in fp32.
#pragma once

#include <gtest/gtest.h>
#include <torch/types.h>

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "longbow/position/position_method.h"
#include "unit/position/golden.h"

namespace longbow::test {

// Parameters of the second of two layers are set and compared.
inline constexpr std::int64_t kLayers = 2, kLayer = 1;

inline double tolerance_of(at::ScalarType type, double in_double, double in_float) {
    return type == at::kDouble ? in_double : in_float;
}

// The tensors and settings of one case in one type.
class Case {
public:
    Case(const PositionGolden& golden, std::string name, at::ScalarType type)
        : golden_(golden), name_(std::move(name)), type_(type) {}

    [[nodiscard]] at::ScalarType type() const { return type_; }
    [[nodiscard]] const at::Tensor& stored(const std::string& key) const {
        return golden_.tensors.at(name_ + "." + key);
    }
    [[nodiscard]] bool has(const std::string& key) const { return golden_.tensors.contains(name_ + "." + key); }
    // [1, heads, length, head_dim], a leaf with a gradient.
    [[nodiscard]] at::Tensor input(const std::string& key) const {
        return stored(key).to(type_).unsqueeze(0).requires_grad_(true);
    }
    [[nodiscard]] std::int64_t count(const char* key) const { return golden_.settings[name_][key].get<std::int64_t>(); }
    [[nodiscard]] const Json& settings() const { return golden_.settings[name_]; }
    [[nodiscard]] std::shared_ptr<PositionMethod> make(const std::string& method, OptionMap options,
                                                       std::int64_t train_length = 8) const {
        const auto heads = count("heads");
        const auto head_dim = settings().contains("head_dim") ? count("head_dim") : 8;
        auto made = make_position_method(method, {kLayers, heads * head_dim, heads, train_length, std::move(options)});
        made->to(type_);
        return made;
    }
    // Sets the second layer's part of a parameter.
    static void set(const at::Tensor& parameter, const at::Tensor& value) {
        const torch::NoGradGuard no_grad;
        parameter[kLayer].copy_(value);
    }
    // Compares the gradient of a parameter, which is of the second layer alone, with "grad_<key>".
    void compare_parameter(const std::string& key, const at::Tensor& parameter) const {
        EXPECT_LT(relative_error(parameter.grad()[kLayer], stored("grad_" + key)), tolerance_of(type_, 1e-11, 1e-5))
            << key;
        EXPECT_EQ(parameter.grad()[0].abs().max().item<double>(), 0.0) << key << " of another layer";
    }
    // Compares with "out", or another name, and the gradients of sum(upstream * out) with "grad_<name>", all behind
    // `prefix`.
    void compare(const std::string& prefix, const at::Tensor& out, const std::map<std::string, at::Tensor>& leaves,
                 const char* name_of_out = "out") const {
        EXPECT_EQ(out.scalar_type(), type_);
        EXPECT_LT(relative_error(out[0], stored(prefix + name_of_out)), tolerance_of(type_, 1e-12, 1e-5)) << prefix;
        out.mul(stored("upstream").to(type_)).sum().backward();
        for (const auto& [name, leaf] : leaves) {
            EXPECT_LT(relative_error(leaf.grad()[0], stored(prefix + "grad_" + name)), tolerance_of(type_, 1e-11, 1e-5))
                << prefix << name;
        }
    }

private:
    const PositionGolden& golden_;
    std::string name_;
    at::ScalarType type_;
};

// Calls test(case) for each case in fp64 and in fp32.
template <typename Test>
void for_each_case(const std::string& file, Test test) {
    const PositionGolden golden(file);
    int cases = 0;
    for (const auto& item : golden.settings.items()) {
        for (const auto type : {at::kDouble, at::kFloat}) {
            SCOPED_TRACE(item.key() + (type == at::kDouble ? " fp64" : " fp32"));
            test(Case(golden, item.key(), type));
            ++cases;
        }
    }
    EXPECT_GE(cases, 4);
}

// Returns a call of the second layer for a whole window of so many tokens.
inline PositionCall call_of(std::int64_t length) {
    PositionCall call;
    call.layer = kLayer;
    call.evaluated_length = call.keys = length;
    call.positions = call.key_positions = torch::arange(length);
    return call;
}

}  // namespace longbow::test
