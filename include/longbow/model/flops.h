// What a forward pass costs: floating-point operations of its products, estimated from the configuration alone. A backward pass costs twice
// as much.
#pragma once

#include <cstdint>

#include "longbow/config/config.h"
#include "longbow/model/model_sizes.h"

namespace longbow {

class ForwardFlops {
public:
    ForwardFlops(const Config& config, const ModelSizes& sizes);
    // A window of `inputs` tokens of which the last `scored` go through the output head: 2 a weight and token, and 4 dim for each key that
    // a token sees in each layer, (inputs + 1) / 2 on average. Of an adaptive head the first band and the classes alone.
    [[nodiscard]] double window(std::int64_t inputs, std::int64_t scored) const;
    // Of each token of a window of `length` of which all are scored.
    [[nodiscard]] double token(std::int64_t length) const { return window(length, length) / static_cast<double>(length); }

private:
    double body_, head_, attention_;  // a token; a scored token; a token and key
};

}  // namespace longbow
