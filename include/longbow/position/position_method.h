// A position method tells a model the order of its tokens. It is one .cpp/.h pair in this room: a class that derives
// from PositionMethod and overrides the hooks that it needs, and a registration with the method's options
// (LONGBOW_REGISTER_POSITION). No other file has to change.
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

// Each member of the structs below has a default value, so that a method names only the members that it needs and no
// compiler warns about the missing ones.

// Describes what a method adds to the attention scores, after they are scaled by 1/sqrt(head_dim). It depends only on
// the distance i - j >= 0 from query i to key j.
struct BiasSpec {
    enum class Kind { none, slopes, table };
    Kind kind = Kind::none;
    at::Tensor slopes{};  // [heads], fp32 (fp64 in fp64 runs): bias = -slope * (i - j)
    at::Tensor table{};   // [heads, M]; may require a gradient: bias = table[h, min(i - j, M - 1)]
};

// Lists the properties of the model that a method may depend on.
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
    // Receives the token embeddings x [batch, length, dim], already scaled, and their positions [length] int64, where 0
    // is the window's first token. Returns the input of the first layer.
    virtual at::Tensor embed(const at::Tensor& x, const at::Tensor& /*positions*/) { return x; }
    // Receives q and k [batch, heads, length, head_dim] of the new tokens at `positions`. Keys from the key-value cache
    // are not passed again: they were rotated when they were computed.
    virtual std::pair<at::Tensor, at::Tensor> rotate(const at::Tensor& q, const at::Tensor& k,
                                                     const at::Tensor& /*positions*/) {
        return {q, k};
    }
    // Returns the bias of the scores in `layer`, which is in [0, layers). Only methods whose bias_differs_by_layer() is
    // true use the argument.
    virtual BiasSpec bias(std::int64_t /*layer*/) { return {}; }
    // If this is false, bias(0) serves every layer and is called once a forward pass.
    [[nodiscard]] virtual bool bias_differs_by_layer() const { return false; }
    // Returns the longest window that the method can serve; 0 means any. Callers check it before they start work
    // (learned positions end with their table).
    [[nodiscard]] virtual std::int64_t max_length() const { return 0; }
    // Draws the initial values of the method's parameters from LibTorch's default generator.
    virtual void reset_parameters() {}
};

struct PositionEntry {
    std::string name{};
    std::string help{};  // one line, with the source
    std::vector<OptionSpec> options{};
    std::function<std::shared_ptr<PositionMethod>(const PositionContext&)> make{};
    // whether bias() returns slopes, with any options; attention may then skip far keys (attention.skip_threshold)
    bool slopes = false;
    std::string title{};  // in tables and figures: "ALiBi"; empty: the name with a capital
};

// Returns all registered methods, sorted by name.
const std::vector<PositionEntry>& position_methods();
// Throws ConfigError for an unknown name (the message lists the known ones), and for a method whose bias() returns
// slopes although its entry says `slopes = false`.
std::shared_ptr<PositionMethod> make_position_method(const std::string& name, const PositionContext& context);
bool register_position_method(PositionEntry entry);

// Stands at namespace scope in the method's .cpp. The linker keeps it because rooms are linked whole.
#define LONGBOW_REGISTER_POSITION(...) \
    static const bool longbow_position_registered = ::longbow::register_position_method(__VA_ARGS__)

}  // namespace longbow
