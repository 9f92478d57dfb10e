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
#include "longbow/position/bias_spec.h"
#include "longbow/position/position_state.h"

namespace longbow {

// Each member of the structs below has a default value, so that a method names only the members that it needs and no
// compiler warns about the missing ones.

// Tells a hook about the pass that it is called in. A tensor that does not exist yet at the time of the call is
// undefined: x before the first layer's norm, q and k in embed() and in bias().
struct PositionCall {
    std::int64_t layer = 0;  // in [0, layers)
    // Tokens of the whole window: constant while a key-value cache grows, and the same for all rows of a batch. In an
    // evaluation it is the number of inputs of this very window (a short last window has its own); in a generation it
    // is the number of tokens of the prompt and of those that may follow.
    std::int64_t evaluated_length = 0;
    std::int64_t keys = 0;  // that the last new token sees: those of a key-value cache, and the new ones
    // [length] and [keys], of the new tokens and of all of them: int64, where 0 is the window's first token, or what
    // draw_positions() gave.
    at::Tensor positions{}, key_positions{};
    std::int64_t window = 0;  // of the layer (BiasSpec::window); 0: none. Only rotate() and turned() are told
    at::Tensor x{};           // [batch, length, dim], what the layer's attention projects
    at::Tensor q{};           // [batch, heads, length, head_dim] of the new tokens
    at::Tensor k{};           // [batch, kv_heads, length, head_dim] of the new tokens
    bool training = false;
    // What the method keeps of earlier tokens in this layer; null where there is no key-value cache, and then all
    // tokens are new.
    PositionState* state = nullptr;
};

// What rotate() returns. q and k have the shapes that they came with, or both another head_dim.
struct Rotated {
    at::Tensor q{}, k{};
    // If defined: what stands in for q and k where the key is `far_from` tokens or more before the query.
    at::Tensor far_q{}, far_k{};
    std::int64_t far_from = 0;
};

// What attend() computes from, besides its call.
struct ScoredAttention {
    at::Tensor q{};      // [batch, heads, Lq, head_dim] of the new tokens, as rotate() returned it
    at::Tensor k{};      // [batch, heads, Lk, head_dim] of all tokens, as rotate() returned it
    at::Tensor v{};      // [batch, heads, Lk, head_dim]
    BiasSpec bias{};     // what bias() gave, and the window
    double scale = 1;    // on q.k
    double dropout = 0;  // on the probabilities; 0 outside training
};

// Lists the properties of the model that a method may depend on.
struct PositionContext {
    std::int64_t layers = 0;
    std::int64_t dim = 0;
    std::int64_t heads = 0;
    std::int64_t train_length = 0;
    OptionMap options{};
    std::int64_t head_size = 0;  // 0: dim / heads
    [[nodiscard]] std::int64_t head_dim() const { return head_size > 0 ? head_size : dim / heads; }
};

class PositionMethod : public torch::nn::Module {
public:
    // Receives the token embeddings x [batch, length, dim], already scaled. Returns the input of the first layer.
    virtual at::Tensor embed(const at::Tensor& x, const PositionCall& /*call*/) { return x; }
    // Returns the positions [length] of a window's tokens, int64 or of the wide type and rising, drawn from LibTorch's
    // default generator in training and a function of the length otherwise. Undefined: 0, 1, 2, .. It is called once
    // for a pass, and once for a generation with the length of all of it.
    virtual at::Tensor draw_positions(std::int64_t /*length*/, bool /*training*/) { return {}; }
    // Receives q and k of the new tokens in `call`. Keys from the key-value cache are not passed again: they were
    // rotated when they were computed.
    virtual Rotated rotate(const PositionCall& call) { return {.q = call.q, .k = call.k}; }
    // Returns x [batch, heads, length, head_dim] as rotate() would turn it at these positions [length] instead of its
    // own. Undefined: the method does not turn queries and keys, or not as a function of the position alone.
    virtual at::Tensor turned(const at::Tensor& /*x*/, const at::Tensor& /*positions*/, const PositionCall& /*call*/) {
        return {};
    }
    // Returns the bias of the scores in call.layer. Only methods whose bias_differs_by_layer() is true read the layer.
    virtual BiasSpec bias(const PositionCall& /*call*/) { return {}; }
    // Returns the parts that bias() makes of the tokens themselves in this layer. If there are any, bias() is called
    // inside each layer, with x, q and k (before rotate()) in the call, and returns no other parts than these; if there
    // are none, it may be called with no more than the layer.
    [[nodiscard]] virtual BiasParts parts_from_data(std::int64_t /*layer*/) const { return {}; }
    // If this is false, the bias of layer 0 serves every layer and is computed once a forward pass.
    [[nodiscard]] virtual bool bias_differs_by_layer() const { return false; }
    // Returns whether the bias of this layer, which is not the first, is that of the layer before it.
    [[nodiscard]] virtual bool bias_as_before(std::int64_t /*layer*/) const { return !bias_differs_by_layer(); }
    // Returns whether attend() computes this layer's attention, instead of a back-end. Only `reference` runs it.
    [[nodiscard]] virtual bool attends(std::int64_t /*layer*/) const { return false; }
    // Returns [batch, heads, Lq, head_dim]. Query i of Lq is the token i + Lk - Lq and sees no later one.
    virtual at::Tensor attend(const ScoredAttention& /*in*/, const PositionCall& /*call*/) { return {}; }
    // Returns whether a hook reads call.evaluated_length, so that windows of different lengths differ in what they
    // compute: then the windows of a batch have one length, and none is merged with another.
    [[nodiscard]] virtual bool depends_on_length() const { return false; }
    // Returns the longest window that the method can serve; 0 means any. Callers check it before they start work
    // (learned positions end with their table).
    [[nodiscard]] virtual std::int64_t max_length() const { return 0; }
    // Returns lines for `longbow inspect position` about what bias() does not show, for a window of this length.
    [[nodiscard]] virtual std::vector<std::string> describe(std::int64_t /*evaluated_length*/) const { return {}; }
    // Draws the initial values of the method's parameters from LibTorch's default generator.
    virtual void reset_parameters() {}
};

// Keys of the section `position` that belong to no method, but to a file of their own each (position_modifier.h). A
// method takes those that its entry names.
enum class Modifier { range, temperature, sinks, sink_logit, draw };

struct PositionEntry {
    std::string name{};
    std::string help{};  // one line, with the source
    std::vector<OptionSpec> options{};
    std::function<std::shared_ptr<PositionMethod>(const PositionContext&)> make{};
    // whether bias() returns slopes; attention may then skip far keys (attention.skip_threshold)
    bool slopes = false;
    std::string title{};  // in tables and figures: "ALiBi"; empty: the name with a capital
    // If `slopes` holds with some options only: whether it does with these (those that are left out have their
    // defaults), and in words what that needs ("position.rounding: none").
    std::function<bool(const OptionMap&)> slopes_if{};
    std::string slopes_need{};
    // `draw` asks that the hooks follow call.positions, and `range` that turned() is defined.
    std::vector<Modifier> modifiers{Modifier::temperature, Modifier::sinks, Modifier::sink_logit};
    // whether bias() returns terms of queries and keys (FoX's gates) or a table that fall with the distance; far keys
    // may then be skipped as with slopes
    bool fades = false;
};

// Returns all registered methods, sorted by name; their options include those of the modifiers that they take.
const std::vector<PositionEntry>& position_methods();
// Throws ConfigError for an unknown name (the message lists the known ones), and for a method whose bias() returns
// slopes although its entry says `slopes = false`.
std::shared_ptr<PositionMethod> make_position_method(const std::string& name, const PositionContext& context);
// Makes what serves all layers of a model: the method that `config` names, or one that asks for each layer the method
// of its entry in config.layers. The latter has a child module for each distinct pair of method and options, "0", "1",
// .. in the order of the entries, and its bias() fills in BiasSpec::window. context.options is not read. Throws
// ConfigError as make_position_method(), and if entries differ whose method adds to the embedding.
std::shared_ptr<PositionMethod> make_positions(const PositionConfig& config, PositionContext context);
bool register_position_method(PositionEntry entry);
// Returns the names in files of the parameters that modifiers of this method have by themselves. A checkpoint of a run
// without the modifier lacks them, and they then keep their first values.
std::vector<std::string> modifier_parameters(const PositionMethod& method);
// Returns the name that a parameter of a position method has in files, from its name in the module.
std::string stored_position_name(const std::string& parameter);

// Stands at namespace scope in the method's .cpp. The linker keeps it because rooms are linked whole.
#define LONGBOW_REGISTER_POSITION(...) \
    static const bool longbow_position_registered = ::longbow::register_position_method(__VA_ARGS__)

}  // namespace longbow
