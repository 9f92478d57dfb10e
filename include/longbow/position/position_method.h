// How a model knows the order of its tokens. A method is one .cpp/.h pair in this room: it derives from PositionMethod, overrides
// the hooks that it needs, and registers itself with its options (LONGBOW_REGISTER_POSITION). Nothing else changes.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "longbow/config/options.h"

namespace longbow {

// The structs of this file give each member a value, so that a method writes only those that it needs, under any compiler's warnings.

// What a method adds to the attention scores (after the scaling by 1/sqrt(head_dim)), as a function of the distance i - j >= 0 only.
struct BiasSpec {
    enum class Kind { none, slopes, table };
    Kind kind = Kind::none;
    at::Tensor slopes{};  // [heads] fp32 (fp64 in fp64 runs): bias = -slope * (i - j)
    at::Tensor table{};   // [heads, M], may need a gradient: bias = table[h, min(i - j, M - 1)]
};

// What a method may know of the model that it serves.
struct PositionContext {
    std::int64_t layers = 0;
    std::int64_t dim = 0;
    std::int64_t heads = 0;
    std::int64_t train_length = 0;
    OptionMap options{};
    [[nodiscard]] std::int64_t head_dim() const { return dim / heads; }
};

class PositionMethod : public torch::nn::Module {
public:
    // x [batch, length, dim] after the (scaled) token embedding; positions [length] int64, 0 at the window's first token.
    virtual at::Tensor embed(const at::Tensor& x, const at::Tensor& /*positions*/) { return x; }
    // q, k [batch, heads, length, head_dim] of the same new tokens at `positions` (cached keys have been rotated before).
    virtual std::pair<at::Tensor, at::Tensor> rotate(const at::Tensor& q, const at::Tensor& k, const at::Tensor& /*positions*/) {
        return {q, k};
    }
    // layer in [0, layers), for methods with tables of their own a layer (bias_differs_by_layer).
    virtual BiasSpec bias(std::int64_t /*layer*/) { return {}; }
    // false: bias(0) serves every layer and is asked for once a forward pass.
    [[nodiscard]] virtual bool bias_differs_by_layer() const { return false; }
    // Longest window that the method can serve; 0: any. Asked before any work (learned positions end with their table).
    [[nodiscard]] virtual std::int64_t max_length() const { return 0; }
    // Initial values of the method's parameters; drawn from the default generator.
    virtual void reset_parameters() {}
};

struct PositionEntry {
    std::string name{};
    std::string help{};  // one line, with the source
    std::vector<OptionSpec> options{};
    std::function<std::shared_ptr<PositionMethod>(const PositionContext&)> make{};
    bool slopes = false;  // bias() gives slopes, or may with some options: far keys can then be left out (attention.skip_threshold)
};

// Registered methods, by name. Throws ConfigError naming the known ones, and for a method whose bias() has slopes that its entry denies.
const std::vector<PositionEntry>& position_methods();
std::shared_ptr<PositionMethod> make_position_method(const std::string& name, const PositionContext& context);
bool register_position_method(PositionEntry entry);

// At namespace scope in a method's .cpp (rooms are linked whole, so that no registration is dropped).
#define LONGBOW_REGISTER_POSITION(...) static const bool longbow_position_registered = ::longbow::register_position_method(__VA_ARGS__)

}  // namespace longbow
