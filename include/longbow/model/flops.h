// What a forward pass costs: floating-point operations of its products, estimated from the sizes of the model's
// weights. A backward pass costs twice as much.
#pragma once

#include <cstdint>

#include "longbow/config/config.h"

namespace longbow {

class LanguageModel;

class ForwardFlops {
public:
    explicit ForwardFlops(const LanguageModel& model);
    // Of a model that need not be there, whose shapes are made for this.
    ForwardFlops(const Config& config, std::int64_t vocab_size);
    // A window of `inputs` tokens of which the last `scored` go through the output head: 2 a weight and token, and 4
    // dim for each key that a token sees in each layer, (inputs + 1) / 2 on average. Of an adaptive head the first band
    // and the classes alone.
    [[nodiscard]] double window(std::int64_t inputs, std::int64_t scored) const;
    // Of each token of a window of `length` of which all are scored.
    [[nodiscard]] double token(std::int64_t length) const {
        return window(length, length) / static_cast<double>(length);
    }

private:
    double body_ = 0, head_ = 0, attention_ = 0;  // a token; a scored token; a token and key
};

}  // namespace longbow
