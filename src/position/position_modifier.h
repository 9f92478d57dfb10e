// A modifier changes what any position method does: a factor on queries that grows with the length, first keys that
// stay visible, positions that are drawn. It is one file of this room, which registers a key of the section `position`
// with its options (LONGBOW_REGISTER_MODIFIER); methods say in their entry which modifiers they take. A modifier
// applies to a run that was trained or imported without it as well, and then its own parameters have their first
// values.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "longbow/position/position_method.h"

namespace longbow {

// The name of a modifier's child module that is the method which it changes. Names of tensors in files leave it out
// (stored_position_name()), so that a modifier changes no name of its host's.
inline constexpr const char* kHostModule = "host";

// Passes every hook on to the method that it changes. A derived class overrides those that it changes.
class ModifiedPosition : public PositionMethod {
public:
    explicit ModifiedPosition(std::shared_ptr<PositionMethod> host);

    at::Tensor embed(const at::Tensor& x, const PositionCall& call) override { return host_->embed(x, call); }
    at::Tensor draw_positions(std::int64_t length, bool training) override {
        return host_->draw_positions(length, training);
    }
    Rotated rotate(const PositionCall& call) override { return host_->rotate(call); }
    at::Tensor turned(const at::Tensor& x, const at::Tensor& positions, const PositionCall& call) override {
        return host_->turned(x, positions, call);
    }
    BiasSpec bias(const PositionCall& call) override { return host_->bias(call); }
    [[nodiscard]] BiasParts parts_from_data(std::int64_t layer) const override { return host_->parts_from_data(layer); }
    [[nodiscard]] bool bias_differs_by_layer() const override { return host_->bias_differs_by_layer(); }
    [[nodiscard]] bool bias_as_before(std::int64_t layer) const override { return host_->bias_as_before(layer); }
    [[nodiscard]] bool attends(std::int64_t layer) const override { return host_->attends(layer); }
    at::Tensor attend(const ScoredAttention& in, const PositionCall& call) override { return host_->attend(in, call); }
    [[nodiscard]] bool depends_on_length() const override { return host_->depends_on_length(); }
    [[nodiscard]] std::int64_t max_length() const override { return host_->max_length(); }
    [[nodiscard]] std::vector<std::string> describe(std::int64_t length) const override {
        return host_->describe(length);
    }
    void reset_parameters() override { host_->reset_parameters(); }

protected:
    [[nodiscard]] PositionMethod& host() { return *host_; }
    [[nodiscard]] const PositionMethod& host() const { return *host_; }

private:
    std::shared_ptr<PositionMethod> host_;  // the child module kHostModule
};

struct ModifierEntry {
    Modifier modifier{};
    // The first option is the key that decides, and its default leaves the method as it is.
    std::vector<OptionSpec> options{};
    // Returns the changed method, or `host` itself where the options leave it as it is.
    std::function<std::shared_ptr<PositionMethod>(std::shared_ptr<PositionMethod> host, const PositionContext&)> wrap{};
};

// Returns all registered modifiers in the order of the enumeration, in which they are applied.
const std::vector<ModifierEntry>& position_modifiers();
bool register_position_modifier(ModifierEntry entry);

#define LONGBOW_REGISTER_MODIFIER(...) \
    static const bool longbow_modifier_registered = ::longbow::register_position_modifier(__VA_ARGS__)

}  // namespace longbow
