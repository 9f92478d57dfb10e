// Keeps the first keys visible to all queries where a window hides those that are far back. Models put weight that they
// have no use for on the first tokens, and fail when a window hides these (StreamingLLM, Xiao et al., ICLR 2024).
#include <utility>

#include "position_modifier.h"

namespace longbow {

namespace {

class SinkPosition final : public ModifiedPosition {
public:
    SinkPosition(std::shared_ptr<PositionMethod> host, std::int64_t sinks)
        : ModifiedPosition(std::move(host)), sinks_(sinks) {}

    BiasSpec bias(const PositionCall& call) override {
        auto spec = host().bias(call);
        spec.sinks = sinks_;
        return spec;
    }

    [[nodiscard]] BiasParts parts_from_data(std::int64_t layer) const override {
        auto parts = host().parts_from_data(layer);
        // A bias that is made inside a layer names all of its parts.
        if (!parts.empty()) parts.add(BiasPart::sinks);
        return parts;
    }

private:
    std::int64_t sinks_;
};

// In position.layers, the window is that of the entry.
Condition with_window() {
    return {"position.window", "position.window above 0",
            [](const Config& config) { return config.position.window > 0; }};
}

std::shared_ptr<PositionMethod> with_sinks(std::shared_ptr<PositionMethod> host, const PositionContext& context) {
    const auto sinks = option_int(context.options, "sinks");
    if (sinks == 0) return host;
    return std::make_shared<SinkPosition>(std::move(host), sinks);
}

}  // namespace

LONGBOW_REGISTER_MODIFIER({
    .modifier = Modifier::sinks,
    .options = {{.key = "sinks",
                 .default_value = std::int64_t{0},
                 .help = "first keys that position.window does not hide (StreamingLLM, Xiao et al., 2024)",
                 .minimum = 0,
                 .since = "0.3.0",
                 .conditions = {with_window()}}},
    .wrap = with_sinks,
});

}  // namespace longbow
