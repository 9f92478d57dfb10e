// Gives each layer the position method of its entry in position.layers, behind the interface of one method.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "longbow/position/position_method.h"

namespace longbow {

class LayeredPosition : public PositionMethod {
public:
    // `layers` must not be empty. Throws ConfigError if entries differ whose method adds to the embedding, and if they
    // differ in how they draw positions.
    LayeredPosition(const std::vector<PositionLayer>& layers, const PositionContext& context);

    at::Tensor embed(const at::Tensor& x, const PositionCall& call) override;
    // A window has one draw, which is that of all methods that draw.
    at::Tensor draw_positions(std::int64_t length, bool training) override;
    Rotated rotate(const PositionCall& call) override { return method_of(call.layer).rotate(in_entry(call)); }
    at::Tensor turned(const at::Tensor& x, const at::Tensor& positions, const PositionCall& call) override {
        return method_of(call.layer).turned(x, positions, in_entry(call));
    }
    BiasSpec bias(const PositionCall& call) override;
    [[nodiscard]] BiasParts parts_from_data(std::int64_t layer) const override {
        return method_of(layer).parts_from_data(layer);
    }
    [[nodiscard]] bool bias_differs_by_layer() const override;
    [[nodiscard]] bool bias_as_before(std::int64_t layer) const override;
    [[nodiscard]] bool attends(std::int64_t layer) const override { return method_of(layer).attends(layer); }
    at::Tensor attend(const ScoredAttention& in, const PositionCall& call) override {
        return method_of(call.layer).attend(in, call);
    }
    [[nodiscard]] bool depends_on_length() const override;
    [[nodiscard]] std::int64_t max_length() const override;  // the least
    [[nodiscard]] std::vector<std::string> describe(std::int64_t evaluated_length) const override;
    void reset_parameters() override;

private:
    struct Entry {
        std::size_t method;  // index of methods_
        std::int64_t window;
        bool operator==(const Entry&) const = default;
    };
    [[nodiscard]] const Entry& entry_of(std::int64_t layer) const {
        return entries_[static_cast<std::size_t>(layer) % entries_.size()];
    }
    // Returns the call with the window of the layer's entry.
    [[nodiscard]] PositionCall in_entry(PositionCall call) const {
        call.window = entry_of(call.layer).window;
        return call;
    }
    [[nodiscard]] PositionMethod& method_of(std::int64_t layer) const { return *methods_[entry_of(layer).method]; }

    std::vector<Entry> entries_;  // as position.layers
    std::vector<std::shared_ptr<PositionMethod>> methods_;
};

}  // namespace longbow
