// Estimates the cost of a forward pass: the floating-point operations of its matrix products, from the sizes of the
// model's weights. A backward pass costs twice as much.
#pragma once

#include <cstdint>
#include <map>

#include "longbow/config/config.h"

namespace longbow {

class LanguageModel;

class ForwardFlops {
public:
    explicit ForwardFlops(const LanguageModel& model);
    // Estimates for a model that need not exist: one without values is made to have its shapes.
    ForwardFlops(const Config& config, std::int64_t vocab_size);
    // Returns the FLOPs of a window of `inputs` tokens of which the last `scored` go through the output head: 2 for
    // each weight and token, and 4 heads head_dim for each key that a token sees in each layer (without a window,
    // (inputs + 1) / 2 on average). Of an adaptive head, only the first band and the classes are counted.
    [[nodiscard]] double window(std::int64_t inputs, std::int64_t scored) const;
    // Returns the FLOPs of each token in a window of `length` tokens that are all scored.
    [[nodiscard]] double token(std::int64_t length) const {
        return window(length, length) / static_cast<double>(length);
    }

private:
    double body_ = 0, head_ = 0, attention_ = 0;  // for each token; each scored token; each token and key of a layer
    std::map<std::int64_t, std::int64_t> layers_of_;  // how many layers have this position.window
};

}  // namespace longbow
